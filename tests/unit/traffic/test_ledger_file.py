"""A ledger on disk is the ledger in memory, and of a run that was cut short it is all up to there."""

import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.errors import InputError, InvalidMeasurement
from seatrial.ledger import COLUMNS, FLOATS, TEXT
from seatrial.traffic import ledger_file
from seatrial.traffic import recorder as recording
from seatrial.traffic.chunk import COLUMN_TYPES
from seatrial.traffic.ledger_file import PREAMBLE_BYTES, WHOLE, LedgerFile, preamble
from seatrial.traffic.ledger_writer import LedgerWriter, write
from seatrial.traffic.recorder import Recorder
from tests.helpers.ledgers import chunks

NAN = float("nan")
ORIGIN_S = 100.0
ROWS = st.fixed_dictionaries(
    {
        "case": st.sampled_from(["a", "b", ""]),
        "scheduled_s": st.floats(100.0, 200.0),
        "sent_s": st.one_of(st.just(NAN), st.floats(100.0, 300.0)),
        "status": st.sampled_from([0, 200, 503]),
        "error": st.sampled_from(["", "reset"]),
        "headers": st.sampled_from(["", '{"x":"1"}', '{"x":"2"}']),
        "body": st.text(max_size=20),
        "events": st.lists(st.floats(100.0, 300.0), max_size=4),
        "lags": st.lists(st.floats(0.0, 1.0), max_size=2),
        "kept": st.booleans(),  # a chunk ends behind it
    }
)


def record(one, case="", scheduled_s=NAN, sent_s=NAN, status=0, error="", headers="", body="", events=(), lags=(), **_):
    first_event = len(one.event_s)
    one.lag_s.extend(lags)
    one.arrived(list(events))
    one.add(
        scheduled_s, sent_s, NAN, NAN, NAN, scheduled_s + 1.0, 3, -1, 9, first_event, one.code("s"), one.code(case),
        0, one.code("pod"), status, one.code(error), -1, 0, one.text_code(headers), one.text_code(body), -1, 7,
        len(events),
    )  # fmt: skip


def recorded(file, rows):
    """Rows in a file, whole, and the recorder that wrote them."""
    one = Recorder(LedgerWriter(file, ORIGIN_S))
    for row in rows:
        record(one, **row)
        if row.get("kept"):
            one.keep()
    one.keep()
    one.sink.close()
    return one


def same(one, other):
    for name in COLUMNS:
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype, name
        assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), name
    assert one.strings == other.strings
    assert one.event_s.tolist() == other.event_s.tolist()


@settings(deadline=None)
@given(rows=st.lists(ROWS, max_size=12), first=st.integers(0, 13))
def test_what_comes_back_from_disk_is_what_would_have_come_from_memory(tmp_path_factory, rows, first):
    file = tmp_path_factory.mktemp("ledger") / "ledger.chunks"
    written, memory = recorded(file, rows), Recorder()
    for row in rows:
        record(memory, **row)
    with LedgerFile(file) as kept:
        assert (len(kept), kept.end, kept.torn) == (len(rows), WHOLE, False)
        same(kept.ledger(), memory.ledger(ORIGIN_S))
        lags = [lag for row in rows for lag in row["lags"]]
        assert [lag for part in kept.parts for lag in part.lag_s()] == lags
    same(written.ledger(ORIGIN_S), memory.ledger(ORIGIN_S))
    same(written.fresh(ORIGIN_S, first), memory.fresh(ORIGIN_S, first))


@settings(deadline=None)
@given(rows=st.lists(ROWS, max_size=12))
def test_a_ledger_in_memory_can_be_written_to_disk(tmp_path_factory, rows):
    memory, file = Recorder(), tmp_path_factory.mktemp("written") / "ledger.chunks"
    for row in rows:
        record(memory, **row)
    whole = memory.ledger(ORIGIN_S)
    write(file, chunks(whole, at_once=5), len(whole))
    with LedgerFile(file) as kept:
        found = kept.ledger()
    assert kept.end == WHOLE
    for name in set(COLUMNS) - {"first_event", *TEXT}:
        assert np.array_equal(getattr(found, name), getattr(whole, name), equal_nan=name in FLOATS), name
    assert [found.texts(name) for name in sorted(TEXT)] == [whole.texts(name) for name in sorted(TEXT)]
    events = [[list(one.event_s[row.first_event :][: row.events]) for row in one] for one in (found, whole)]
    assert events[0] == events[1]


def test_columns_are_read_one_by_one_in_the_order_in_which_rows_ended(tmp_path):
    recorded(tmp_path / "l", [{"scheduled_s": 130.0 - n, "status": n, "kept": n % 4 == 0} for n in range(10)])
    with LedgerFile(tmp_path / "l") as kept:
        assert kept.column("status").tolist() == list(range(10))
        assert kept.column("scheduled_s").tolist() == [130.0 - n for n in range(10)]
        assert kept.ledger().status.tolist() == list(range(9, -1, -1))


def test_a_file_whose_column_load_was_called_stream_is_read_too(tmp_path):
    recorded(tmp_path / "l", [{"scheduled_s": 130.0, "case": "a"}])
    data = (tmp_path / "l").read_bytes()
    head = data[:PREAMBLE_BYTES].rstrip().replace(b'["load",', b'["stream",').ljust(PREAMBLE_BYTES - 1) + b"\n"
    (tmp_path / "l").write_bytes(head + data[PREAMBLE_BYTES:])
    with LedgerFile(tmp_path / "l") as kept:
        assert kept.ledger().texts("load") == ["s"]


def test_a_file_from_before_a_column_was_added_is_read_too(tmp_path, monkeypatch):
    earlier = {name: kind for name, kind in COLUMN_TYPES.items() if name not in ("closed_s", "problem", "counted")}
    with monkeypatch.context() as before:
        before.setattr(ledger_file, "COLUMN_TYPES", earlier)
        recorded(tmp_path / "l", [{"scheduled_s": 130.0, "case": "a", "events": (131.0,)}] * 3)
    with LedgerFile(tmp_path / "l") as kept:
        whole = kept.ledger()
        assert (whole.texts("case"), whole.texts("problem")) == (["a"] * 3, [""] * 3)
        assert (whole.counted.tolist(), np.isnan(whole.closed_s).all()) == ([0] * 3, True)
        assert whole.event_s.tolist() == [131.0 - ORIGIN_S] * 3


def test_quantiles_of_latency_are_over_all_rows_that_ended(tmp_path):
    one = Recorder(LedgerWriter(tmp_path / "l", 0.0))
    for number in range(10_000):
        latency_s = NAN if number % 10 == 9 else number * 0.5
        one.add(*[float(number)] * 5, number + latency_s, *[0] * 17)
    one.keep()
    one.sink.close()
    with LedgerFile(tmp_path / "l") as kept:
        ended = sorted(number * 0.5 for number in range(10_000) if number % 10 != 9)
        assert kept.latency_quantiles((0.5, 0.999)) == [ended[4499], ended[8990]]


def test_full_chunks_are_written_while_the_run_goes_on_and_all_can_be_read_meanwhile(tmp_path):
    one = Recorder(LedgerWriter(tmp_path / "l", 0.0))
    for number in range(10_000):
        record(one, f"case-{number % 3}", float(number), status=number)
    assert one.fresh(0.0, 4090).status.tolist() == list(range(4090, 10_000))
    assert one.fresh(0.0, 9_999).texts("case") == ["case-0"]
    assert len(one.ledger(0.0)) == len(one) == 10_000
    one.sink.close()  # what waits is written; a chunk that is not full was not given to it
    with LedgerFile(tmp_path / "l") as kept:
        assert len(kept) == 8192


def test_what_was_kept_before_the_first_row_ended_is_read_with_it(tmp_path):
    """Seconds pass before the first stream ends: its names, and the lags of starts, are on disk before any row."""
    one = Recorder(LedgerWriter(tmp_path / "l", 0.0))
    one.code("first")
    one.lag_s.append(0.5)
    one.keep()
    record(one, case="first", scheduled_s=1.0, lags=[0.25])
    one.keep()
    one.sink.drain()
    assert one.ledger(0.0).texts("case") == ["first"]
    with one.reading() as (parts, _):
        assert np.concatenate([part.lag_s() for part in parts]).tolist() == [0.5, 0.25]
    one.sink.close()


def test_texts_that_differ_with_every_row_are_forgotten_and_come_back_from_disk(tmp_path, monkeypatch):
    """A text that is recorded again after it was forgotten is one string, not two."""
    monkeypatch.setattr(recording, "_MOST_TEXT", 100)
    rows = [{"scheduled_s": 100.0 + n, "body": f"{n:030}", "headers": "the same"} for n in range(50)]
    one = recorded(tmp_path / "l", rows)
    assert len(one._texts) < 10
    with LedgerFile(tmp_path / "l") as kept:
        assert len(kept.parts) > 10  # chunks end early, where their texts are many
        ledger = kept.ledger()
        assert ledger.texts("body") == [row["body"] for row in rows]
        assert ledger.strings.count("the same") == 1
        assert kept.ledger(without=("body",)).texts("body") == [""] * 50


def test_a_chunk_ends_early_where_its_events_are_many(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "_MOST_EVENTS", 10)
    recorded(tmp_path / "l", [{"scheduled_s": 100.0, "events": [101.0] * 4}] * 9)
    with LedgerFile(tmp_path / "l") as kept:
        assert [part.event_count for part in kept.parts] == [12, 12, 12]


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """The bytes of a ledger of three chunks, and where each chunk ends."""
    file = tmp_path_factory.mktemp("cut") / "l"
    recorded(file, [{"scheduled_s": 100.0 + n, "body": f"b{n}", "kept": n in (2, 5)} for n in range(9)])
    with LedgerFile(file) as kept:
        return file.read_bytes(), [part.offset + part.size for part in kept.parts]


@settings(deadline=None)
@given(data=st.data())
def test_a_file_that_was_cut_anywhere_is_read_up_to_its_last_whole_chunk(cut, tmp_path_factory, data):
    whole, ends = cut
    size = data.draw(st.integers(PREAMBLE_BYTES, len(whole)))
    file = tmp_path_factory.mktemp("torn") / "l"
    file.write_bytes(whole[:size])
    with LedgerFile(file) as kept:
        assert len(kept) == 3 * sum(end <= size for end in ends)
        assert kept.torn == (size not in (PREAMBLE_BYTES, *ends))
        assert kept.ledger().texts("body") == [f"b{n}" for n in range(len(kept))]


def test_a_last_chunk_whose_bytes_never_reached_the_disk_is_left_out(cut, tmp_path):
    whole, ends = cut
    (tmp_path / "l").write_bytes(whole[: ends[1] + 200] + b"\0" * (ends[2] - ends[1] - 200))
    with LedgerFile(tmp_path / "l") as kept:
        assert (len(kept), kept.torn) == (6, True)


def test_a_run_that_was_killed_says_nothing_of_its_end(tmp_path):
    one = Recorder(LedgerWriter(tmp_path / "l", ORIGIN_S))
    with LedgerFile(tmp_path / "l") as kept:
        assert (len(kept), kept.end, kept.torn) == (0, None, False)
    one.sink.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "expected a ledger, found No such file"),
        (b"", "expected a ledger of layout"),
        (b"PK\x03\x04" * 2000, "expected a ledger of layout"),
        (b'{"schema": "seatrial.ledger/v0"}'.ljust(PREAMBLE_BYTES), "expected a ledger of layout"),
        (preamble(0.0, None).replace(b'["scheduled_s",', b'["planned_at_s",'), "expected the columns scheduled_s"),
    ],
    ids=["missing", "empty", "an archive", "another version", "other columns"],
)
def test_what_is_no_ledger_is_refused(tmp_path, content, said):
    if content is not None:
        (tmp_path / "l").write_bytes(content)
    with pytest.raises(InputError, match=said):
        LedgerFile(tmp_path / "l")


def test_a_disk_that_fills_up_leaves_whole_chunks_and_the_reason(tmp_path, files_up_to):
    with files_up_to(PREAMBLE_BYTES + 1500):
        one = recorded(tmp_path / "l", [{"scheduled_s": 100.0 + n, "kept": n % 3 == 2} for n in range(12)])
    assert one.sink.failure.startswith(f"{tmp_path / 'l'}: expected room for the ledger")
    assert "found File too large after 6 requests; free room there" in one.sink.failure
    with LedgerFile(tmp_path / "l") as kept:
        assert (len(kept), kept.end, kept.torn) == (6, one.sink.failure, False)
        assert kept.ledger().scheduled_s.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_copy_for_which_there_is_no_room_at_all_is_told_with_its_place(tmp_path, files_up_to):
    whole = recorded(tmp_path / "l", [{"scheduled_s": 100.0}]).ledger(ORIGIN_S)
    with files_up_to(0), pytest.raises(InvalidMeasurement, match=r"copy: expected room for the ledger of 1 requests"):
        write(tmp_path / "copy", chunks(whole), len(whole))


def test_a_reason_of_any_length_leaves_the_first_bytes_as_many_as_they_are():
    for reason in ("x", "\\" * 10_000, "\U0001f600" * 10_000, "\0" * 10_000):
        assert len(preamble(0.0, reason)) == PREAMBLE_BYTES


def test_a_folder_that_is_not_there_is_refused_before_anything_is_recorded(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        LedgerWriter(tmp_path / "none" / "l", 0.0)


def test_a_recorder_that_is_closed_holds_no_file_open_and_is_read_as_before(tmp_path):
    def open_files():
        return len(list(Path("/proc/self/fd").iterdir()))

    before, recorders = open_files(), []
    for number in range(5):
        one = Recorder(LedgerWriter(tmp_path / f"l{number}", ORIGIN_S))
        for row in range(6):
            record(one, f"c{row}", 110.0 + row, lags=[0.25])
            if row in (1, 3):
                one.keep()
        whole, rest = one.ledger(ORIGIN_S), one.fresh(ORIGIN_S, 3)
        one.keep()
        one.sink.close()
        recorders.append((one, whole, rest))
    assert open_files() == before
    for one, whole, rest in recorders:
        assert one.ledger(ORIGIN_S).texts("case") == whole.texts("case") == [f"c{row}" for row in range(6)]
        assert one.fresh(ORIGIN_S, 3).texts("case") == rest.texts("case") == ["c3", "c4", "c5"]
        with one.reading() as (parts, before_first):
            assert (np.concatenate([part.lag_s() for part in parts]).tolist(), before_first) == ([0.25] * 6, 0)
    assert open_files() == before


def test_a_ledger_of_many_chunks_is_read_with_few_files_open(tmp_path):
    """A run keeps a chunk every two seconds, and more where it is busy: an hour of it has thousands."""
    one = Recorder(LedgerWriter(tmp_path / "l", ORIGIN_S))
    for number in range(200):
        record(one, f"c{number % 3}", 110.0 + number, events=[120.0 + number])
        one.keep()
    one.sink.close()
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 20, most))
    try:
        with LedgerFile(tmp_path / "l") as kept:
            same(kept.ledger(), one.ledger(ORIGIN_S))
            assert len(kept.parts) == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))
