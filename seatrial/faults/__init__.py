"""The kill matrix: every planted defect against the check that must catch it, every oddity against those it must pass.

Rows are found beside the contract of the chart that is given, and among the mutants that every chart shares; each check
brings its ablation. A row runs the trials of its checks in namespaces of its own.
"""

from seatrial.faults.catalogue import chosen, rows
from seatrial.faults.proof import unproven
from seatrial.faults.row import Kind, Row
from seatrial.faults.running import GOOD, Cell, Result, run_row, run_rows
from seatrial.faults.table import as_markdown, verdict_of

__all__ = [
    "GOOD",
    "Cell",
    "Kind",
    "Result",
    "Row",
    "as_markdown",
    "chosen",
    "rows",
    "run_row",
    "run_rows",
    "unproven",
    "verdict_of",
]
