"""A folder and its copy: equal after every look, whatever was written in between."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.loads import mirror
from seatrial.loads.mirror import Mirrored, apply
from seatrial.traffic.ledger_file import PREAMBLE_BYTES, LedgerFile
from seatrial.traffic.ledger_writer import LedgerWriter
from seatrial.traffic.recorder import Recorder

# What may become of a ledger between two looks: it grows, its first bytes are written anew, it is cut, nothing.
CHANGES = st.one_of(
    st.tuples(st.just("grow"), st.binary(max_size=9000)),
    st.tuples(st.just("head"), st.binary(min_size=1, max_size=64)),
    st.tuples(st.just("cut"), st.integers(0, 5000)),
    st.tuples(st.just("rest"), st.none()),
)


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def changed(file, how, by):
    data = bytearray(file.read_bytes())
    if how == "grow":
        data += by
    elif how == "head":
        data[: min(len(by), len(data))] = by[: len(data)]
    elif how == "cut":
        del data[max(PREAMBLE_BYTES, len(data) - by) :]
    with file.open("r+b") as opened:  # in place, as ledgers are written
        opened.write(data)
        opened.truncate()


@given(st.lists(CHANGES, max_size=12), st.sampled_from([1000, 1 << 20]))
def test_a_ledger_that_is_written_to_in_place_is_the_same_there_after_every_look(changes, at_once):
    with (
        tempfile.TemporaryDirectory() as here,
        tempfile.TemporaryDirectory() as there,
        pytest.MonkeyPatch.context() as m,
    ):
        m.setattr(mirror, "_AT_ONCE", at_once)
        file = Path(here) / "ledger.chunks"
        file.write_bytes(b"p" * PREAMBLE_BYTES)
        mirrored = Mirrored(Path(here))
        for how, by in [("rest", None), *changes]:
            changed(file, how, by)
            for piece in mirrored.changes():
                apply(piece, Path(there))
            assert contents(Path(there)) == contents(Path(here))


def test_only_what_is_new_is_sent(tmp_path):
    file = tmp_path / "ledger.chunks"
    file.write_bytes(b"p" * PREAMBLE_BYTES + b"1" * 5000)
    mirrored = Mirrored(tmp_path)
    list(mirrored.changes())
    assert not list(mirrored.changes())
    changed(file, "grow", b"2" * 100)
    assert [(piece.at, piece.data) for piece in mirrored.changes()] == [(PREAMBLE_BYTES + 5000, b"2" * 100)]


def test_small_files_come_whole_when_they_change_and_drafts_do_not(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    (here / "worker-1").mkdir()
    (here / "master.json.tmp").write_text("half")
    mirrored = Mirrored(here)
    for text in ("{}", '{"port": 1}', '{"port": 2}'):
        draft = here / "draft"
        draft.write_text(text)
        draft.replace(here / "master.json")
        pieces = list(mirrored.changes())
        assert [(piece.file, piece.at, piece.data) for piece in pieces] == [("master.json", None, text.encode())]
        apply(pieces[0], there)
        assert contents(there) == {"master.json": text.encode()}
    assert not list(mirrored.changes())


def test_a_ledger_that_is_being_recorded_can_be_read_there_up_to_its_last_whole_chunk(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    recorder, mirrored = Recorder(LedgerWriter(here / "ledger.chunks", 0.0)), Mirrored(here)
    for rows in (3, 5):
        for _ in range(rows):
            recorder.add(*[1.0] * 6, *[0] * 17)
        recorder.keep()
        recorder.sink.drain()
        for piece in mirrored.changes():
            apply(piece, there)
        with LedgerFile(there / "ledger.chunks") as kept:
            assert (len(kept), kept.end) == (len(recorder), None)
    recorder.sink.close()
    for piece in mirrored.changes():
        apply(piece, there)
    with LedgerFile(there / "ledger.chunks") as kept:
        assert (len(kept), kept.end) == (8, "whole")
