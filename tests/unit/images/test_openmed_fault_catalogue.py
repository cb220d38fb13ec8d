"""What is planted, and that a name nobody planted never gives a healthy run."""

import re

import pytest
from openmed_faults import fired_in
from openmed_reference import FAULTS, IMAGES, server
from planting import UnknownFault, arm, arm_from_environment, listed
from planting.record import LINES_PER_S, fired

from seatrial.faults.server import declared

PROBES, DRAIN = ["P1", "P2", "P5", "P10", "P11"], ["D1", "D4", "D5", "D8"]
LIMITS, BATCHING = ["L1", "L2", "L3", "L6", "L8"], ["B1", "B2", "B3", "B4", "B5"]


@pytest.mark.parametrize("check", [*PROBES, *DRAIN, *LIMITS, *BATCHING])
def test_each_check_has_at_least_three_faults_to_catch(check: str) -> None:
    assert len([one for one in listed(FAULTS).values() if one.kind == "fault" and check in one.breaks]) >= 3


def test_each_says_what_it_does() -> None:
    assert [one.id for one in listed(FAULTS).values() if not one.description or not one.breaks] == []


def test_what_seatrial_reads_without_running_the_server_is_what_the_server_has() -> None:
    planted = [(one.id, one.kind, one.breaks, one.description, one.contract) for one in listed(FAULTS).values()]
    read = [(one.id, one.kind, frozenset(one.checks), one.description, one.contract) for one in declared(FAULTS)]
    assert read == sorted(planted, key=lambda one: one[0])
    assert len(read) > 100


@pytest.mark.parametrize(
    ("name", "kind"), [("ready-on-bin", "fault"), ("ready-204", "fault"), ("ready-on-bind", "odd")]
)
def test_an_unknown_name_is_refused(name: str, kind: str) -> None:
    with pytest.raises(UnknownFault, match=name):
        arm([name], server(), FAULTS, kind)


@pytest.mark.parametrize("folder", [None, "", "/nowhere"])
def test_a_fault_without_the_folder_that_it_is_in_is_refused(folder: str | None) -> None:
    environment = {"SEATRIAL_FAULT": "ready-on-bind"} | ({} if folder is None else {"SEATRIAL_FAULTS_FOLDER": folder})
    with pytest.raises(
        UnknownFault, match="SEATRIAL_FAULTS_FOLDER: expected the folder that SEATRIAL_FAULT=ready-on-bind"
    ):
        arm_from_environment(environment, server())


def test_a_fault_that_acts_often_does_not_flood_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(1000):
        fired("acts-often")
    output = capsys.readouterr().out
    assert fired_in(output, "acts-often")
    assert len(output.splitlines()) <= 2 * LINES_PER_S


def test_the_serving_code_knows_of_no_fault() -> None:
    sources = (IMAGES / "openmed_service").glob("*.py")
    mentioning = {path.name for path in sources if re.search("(?<!de)fault|planting", path.read_text())}
    assert mentioning == {"__main__.py"}
