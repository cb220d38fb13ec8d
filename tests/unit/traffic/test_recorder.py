"""Rows of ended attempts become a ledger, whole or from some row on."""

import numpy as np

from seatrial.ledger import joined
from seatrial.traffic.recorder import OTHER_PROBLEM, Recorder, pack, unpack

NAN = float("nan")


def add(
    one,
    case="",
    scheduled_s=NAN,
    sent_s=NAN,
    status=0,
    error="",
    correct=-1,
    connection=-1,
    headers="",
    body="",
    events=0,
):
    one.add(
        scheduled_s, sent_s, NAN, NAN, NAN, NAN, 0, connection, 0, len(one.event_s) - events,
        one.code("s"), one.code(case), 0, 0, status, one.code(error), correct, 0, one.text_code(headers),
        one.text_code(body), -1, -1, events,
    )  # fmt: skip


def recorder():
    one = Recorder()
    add(one, "late", 103.0, 103.5, headers="h1", status=200, correct=1)
    add(one, "early", 101.0, error="reset", body="\ud7ff\x00\n", connection=7)
    return one


def test_rows_come_in_the_order_of_their_schedule_on_the_runs_clock():
    ledger = recorder().ledger(origin_s=100.0)
    assert ledger.texts("case") == ["early", "late"]
    assert ledger.row.tolist() == [0, 1]
    assert ledger.scheduled_s.tolist() == [1.0, 3.0]
    assert ledger.sent_s[1] == 3.5
    assert np.isnan(ledger.sent_s[0])
    assert ledger.right.tolist() == [False, True]
    assert ledger.connection.tolist() == [7, -1]


def test_what_is_fresh_carries_only_its_own_names_and_neither_headers_nor_bodies():
    part = recorder().fresh(100.0, first=1)
    assert part.texts("case") == ["early"]
    assert set(part.strings) == {"", "s", "early", "reset"}
    assert recorder().ledger(100.0).texts("body") == ["\ud7ff\x00\n", ""]
    assert len(recorder().fresh(100.0, first=2)) == 0


def test_what_is_wrong_is_kept_and_after_a_hundred_reasons_it_is_another():
    one = Recorder()
    codes = [one.problem_code(f"reason {number}") for number in range(120)]
    assert len(set(codes)) == 101
    assert codes[100] == codes[119] == one.code(OTHER_PROBLEM)
    assert one.problem_code("reason 7") == codes[7]


def test_a_ledger_does_not_change_when_more_is_recorded():
    one = recorder()
    ledger = one.ledger(0.0)
    add(one, scheduled_s=1.0)
    assert (len(ledger), len(one), len(one.ledger(0.0))) == (2, 3, 3)


def test_a_packed_ledger_comes_back_as_it_was():
    ledger = recorder().ledger(100.0)
    again = unpack(pack(ledger))
    assert str(list(again)) == str(list(ledger))
    assert again.strings == ledger.strings


def test_rows_beyond_a_chunk_are_kept_and_told_from_any_row_on():
    one = Recorder()
    for number in range(10_000):
        add(one, f"case-{number % 3}", float(number), connection=number)
    assert len(one) == 10_000
    for first in (0, 1, 4095, 4096, 4097, 8192, 9_999, 10_000):
        assert one.fresh(0.0, first).connection.tolist() == list(range(first, 10_000))
    assert one.ledger(0.0).texts("case")[9_998:] == ["case-2", "case-0"]


def test_the_events_of_a_row_are_found_by_its_own_numbers_in_any_part():
    one = Recorder()
    for number, times in enumerate([[], [10.5, 10.6], [], [11.0], []]):
        one.event_s.extend(times)
        add(one, scheduled_s=10.0 - number, events=len(times))
    for first in range(6):
        part = unpack(pack(one.fresh(10.0, first)))
        found = [part.event_s[row.first_event :][: row.events].round(9).tolist() for row in reversed(list(part))]
        assert found == [[], [0.5, 0.6], [], [1.0], []][first:]


def test_joined_ledgers_keep_their_events_apart():
    one, other = Recorder(), Recorder()
    for recorder, times in ((one, [1.0, 2.0]), (other, [3.0])):
        recorder.event_s.extend(times)
        add(recorder, scheduled_s=times[0], events=len(times))
    whole = joined([one.ledger(0.0), other.ledger(0.0)])
    assert [whole.event_s[row.first_event :][: row.events].tolist() for row in whole] == [[1.0, 2.0], [3.0]]
    late = whole.select(whole.scheduled_s > 2)
    assert [late.event_s[row.first_event :][: row.events].tolist() for row in late] == [[3.0]]
