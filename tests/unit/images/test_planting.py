"""The frame for planted defects, in the image of a server that this repository has never heard of."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from openmed_reference import IMAGES

from seatrial.faults.server import declared

SERVER = """
import os, sys
from planting import UnknownFault, arm_from_environment

class Till:
    def total(self): return 3

till = Till()
try:
    arm_from_environment(os.environ, till)
except UnknownFault as error:
    sys.exit(f"{error}")
print(till.total())
"""
FAULTS = """
from planting import Fired, fault, odd
from ._hooks import one_more

@fault("adds-one", breaks={"X1"})
def adds_one(till, fired: Fired):
    \"\"\"The sum is one too high.\"\"\"
    total = till.total
    till.total = lambda: (fired(), one_more(total()))[1]

@odd("says-nothing", spares={"X1"})
def says_nothing(till, fired: Fired):
    \"\"\"Nothing is different.\"\"\"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults" / "sums.py").write_text(FAULTS, encoding="utf-8")
    (tmp_path / "faults" / "_hooks.py").write_text("def one_more(n): return n + 1\n", encoding="utf-8")
    (tmp_path / "till.py").write_text(SERVER, encoding="utf-8")
    return tmp_path


def run(shop: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PYTHONPATH": str(IMAGES), "SEATRIAL_FAULTS_FOLDER": str(shop / "faults"), **environment}
    return subprocess.run(
        [sys.executable, "till.py"], cwd=shop, env=variables, capture_output=True, text=True, check=False
    )


def test_a_server_without_a_name_in_its_environment_is_healthy(shop: Path) -> None:
    assert run(shop).stdout == "3\n"


def test_a_defect_is_armed_by_its_name_and_says_when_it_acts(shop: Path) -> None:
    *lines, total = run(shop, SEATRIAL_FAULT="adds-one").stdout.splitlines()
    said = [(line["event"], line["fault"]) for line in map(json.loads, lines)]
    assert (said, total) == ([("fault_armed", "adds-one"), ("fault_fired", "adds-one")], "4")


def test_an_oddity_and_a_defect_at_once(shop: Path) -> None:
    done = run(shop, SEATRIAL_FAULT="adds-one", SEATRIAL_ODD="says-nothing")
    assert '"odd_armed"' in done.stdout
    assert '"fault_armed"' in done.stdout


def test_a_name_that_nothing_is_planted_under_keeps_the_server_from_starting(shop: Path) -> None:
    done = run(shop, SEATRIAL_FAULT="adds-two")
    assert (done.returncode, done.stdout) == (1, "")
    assert "SEATRIAL_FAULT: expected one of adds-one" in done.stderr
    assert "found 'adds-two'" in done.stderr


def test_seatrial_reads_the_same_without_the_server(shop: Path) -> None:
    assert [(one.id, one.kind, one.checks) for one in declared(shop / "faults")] == [
        ("adds-one", "fault", ("X1",)),
        ("says-nothing", "odd", ("X1",)),
    ]
