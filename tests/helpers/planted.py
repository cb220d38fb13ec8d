"""Defects that tests plant beside a chart, and the rows that come of them."""

from pathlib import Path

from seatrial.faults import Row, rows
from seatrial.suite.subject import read_subject
from tests.helpers.observations import checks

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY / "charts" / "mutants"
SLOW = '''
from planting import fault, odd

CHECKS = {"D5", "D1"}

@fault("slow-exit", breaks=CHECKS, contract={"ready_within_s": 5})
def slow_exit(server, fired):
    """It stays
    for long."""

@odd("says-goodbye", spares={"D1", "A1"})
def says_goodbye(server, fired):
    """It logs a line more."""
'''
GOOD = '"""Does."""\nBREAKS = {"D1"}\ndef patch(manifests, contract): return manifests\n'


def rows_of(chart: Path, shared: Path = SHARED) -> dict[str, Row]:
    return {row.id: row for row in rows(read_subject(chart), checks(), shared)}


def plant(chart: Path, text: str, *, folder: str = "faults", name: str = "slow.py") -> Path:
    (chart / folder).mkdir(exist_ok=True)
    (chart / folder / name).write_text(text, encoding="utf-8")
    return chart


def promise(chart: Path, text: str) -> Path:
    with (chart / "contract.yaml").open("a", encoding="utf-8") as file:
        file.write(text)
    return chart
