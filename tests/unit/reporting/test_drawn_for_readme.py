"""`docs/pictures/draw.py` draws the pictures of the README from any record."""

import importlib.util
import sys
from pathlib import Path
from xml.etree import ElementTree

import made_up
import pytest

from seatrial.record import RecordWriter
from seatrial.verdict import passed

SCRIPT = Path(__file__).parents[3] / "docs" / "pictures" / "draw.py"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """The script, which draws into a folder of this test."""
    spec = importlib.util.spec_from_file_location("draw", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "draw", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "HERE", tmp_path)
    return module


def test_the_picture_of_a_deletion_stands_alone(draw, record, tmp_path, capsys):
    draw.main(record.folder, "broken-deletion.svg")
    assert capsys.readouterr().out == f"wrote {tmp_path / 'broken-deletion.svg'}\n"
    root = ElementTree.parse(tmp_path / "broken-deletion.svg").getroot()
    assert root.find(f"{SVG}title").text.startswith("Round 1, deletion of ")
    assert "--card" in root.find(f"{SVG}style").text
    assert any(path.get("class") == "request cut" for path in root.iter(f"{SVG}path"))


def test_a_record_without_a_deletion_is_told(draw, tmp_path):
    writer = RecordWriter.create(tmp_path, made_up.header("run-1"))
    writer.add_verdict("X1", "MUST", "x", passed("a", "b", n=1), [])
    with pytest.raises(SystemExit, match="expected a run that deleted pods, found none"):
        draw.main(writer.folder, "deletion.svg")


def test_a_name_that_says_no_picture_is_told(draw, record):
    with pytest.raises(SystemExit, match=r"found page\.gif; correct"):
        draw.main(record.folder, "page.gif", "page.png")
