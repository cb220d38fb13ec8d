"""What is planted, and that a name nobody planted never gives a healthy run."""

import json
import subprocess
import sys

import pytest
from faults import UnknownFault, arm, listed
from faults.record import LINES_PER_S, fired
from openmed_faults import fired_in
from openmed_reference import IMAGES, server

PROBES, DRAIN = ["P1", "P2", "P5", "P10", "P11"], ["D1", "D4", "D5", "D8"]
LIMITS, BATCHING = ["L1", "L2", "L3", "L6", "L8"], ["B1", "B2", "B3", "B4", "B5"]


@pytest.mark.parametrize("check", [*PROBES, *DRAIN, *LIMITS, *BATCHING])
def test_each_check_has_at_least_three_faults_to_catch(check: str) -> None:
    assert len([one for one in listed("openmed").values() if one.kind == "fault" and check in one.breaks]) >= 3


def test_each_says_what_it_does() -> None:
    assert [one.id for one in listed("openmed").values() if not one.description or not one.breaks] == []


def test_the_list_can_be_read_by_a_machine() -> None:
    text = subprocess.run([sys.executable, "-m", "faults"], cwd=IMAGES, capture_output=True, check=True).stdout
    entries = json.loads(text)
    assert {"id": "ready-on-bind", "kind": "fault", "breaks": ["P1"], "server": "openmed"}.items() <= next(
        entry for entry in entries if entry["id"] == "ready-on-bind"
    ).items()


@pytest.mark.parametrize(
    ("name", "kind"), [("ready-on-bin", "fault"), ("ready-204", "fault"), ("ready-on-bind", "odd")]
)
def test_an_unknown_name_is_refused(name: str, kind: str) -> None:
    with pytest.raises(UnknownFault, match=name):
        arm([name], server(), "openmed", kind)


def test_a_fault_that_acts_often_does_not_flood_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(1000):
        fired("acts-often")
    output = capsys.readouterr().out
    assert fired_in(output, "acts-often")
    assert len(output.splitlines()) <= 2 * LINES_PER_S


def test_the_serving_code_knows_of_no_fault() -> None:
    sources = (IMAGES / "openmed_service").glob("*.py")
    mentioning = {path.name for path in sources if "fault" in path.read_text().replace("default", "")}
    assert mentioning == {"__main__.py"}
