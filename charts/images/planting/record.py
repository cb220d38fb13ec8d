"""The log lines by which a kill is known to be the fault's doing."""

import json
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime

LINES_PER_S = 10


class Report:
    """At most LINES_PER_S lines in any second; what was left out is counted in the next line."""

    def __init__(self) -> None:
        self.window = 0
        self.lines = 0
        self.unsaid = 0


_reports: defaultdict[str, Report] = defaultdict(Report)


def armed(name: str, kind: str) -> None:
    _line(event=f"{kind}_armed", fault=name)


def fired(name: str) -> None:
    report = _reports[name]
    second = int(time.monotonic())
    if second != report.window:
        report.window, report.lines = second, 0
    if report.lines >= LINES_PER_S:
        report.unsaid += 1
        return
    report.lines += 1
    _line(event="fault_fired", fault=name, times=1 + report.unsaid)
    report.unsaid = 0


def _line(**fields: object) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    sys.stdout.write(json.dumps({"ts": now, **fields}) + "\n")
    sys.stdout.flush()
