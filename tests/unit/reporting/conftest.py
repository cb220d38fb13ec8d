from pathlib import Path

import made_up
import pytest

from seatrial.record import RunRecord
from seatrial.reporting.model import Report, read_report


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """Of a service that closes its listener at SIGTERM and cuts what is open after a second. Only to be read."""
    folder: Path = tmp_path_factory.mktemp("runs")
    return made_up.finished(folder)


@pytest.fixture(scope="session")
def report(record: RunRecord) -> Report:
    return read_report(record)
