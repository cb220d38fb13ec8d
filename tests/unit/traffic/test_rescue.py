"""What a killed process had recorded can be read, up to the last piece that it wrote whole."""

from seatrial.observation import ledger
from seatrial.traffic.rescue import append, rescued


def rows(*scheduled_s):
    return ledger([{"scheduled_s": at_s, "stream": "base", "status": 200} for at_s in scheduled_s])


def test_pieces_come_back_as_one_ledger(tmp_path):
    append(tmp_path / "rows", rows(0.0, 2.0))
    append(tmp_path / "rows", rows(1.0))
    found = rescued(tmp_path / "rows")
    assert found.scheduled_s.tolist() == [0.0, 1.0, 2.0]
    assert found.texts("stream") == ["base"] * 3


def test_a_piece_that_was_cut_off_anywhere_costs_no_other(tmp_path):
    append(tmp_path / "rows", rows(0.0, 2.0))
    whole = len((tmp_path / "rows").read_bytes())
    append(tmp_path / "rows", rows(1.0))
    data = (tmp_path / "rows").read_bytes()
    for cut in range(whole, len(data), 97):
        (tmp_path / "rows").write_bytes(data[:cut])
        assert len(rescued(tmp_path / "rows")) == 2


def test_no_file_is_no_rows(tmp_path):
    assert len(rescued(tmp_path / "rows")) == 0
