from pathlib import Path

import made_up
import pytest

from seatrial.record import RunRecord
from seatrial.reporting.model import Report, read_report


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    """Of a service that closes its listener at SIGTERM and cuts what is open after a second."""
    return made_up.finished(tmp_path)


@pytest.fixture
def report(record: RunRecord) -> Report:
    return read_report(record)
