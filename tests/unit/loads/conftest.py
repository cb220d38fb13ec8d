"""The listeners that tests of loads use."""

import pytest

from tests.helpers.crews import ask
from tests.helpers.listeners import files_up_to, run_loads, server, web

__all__ = ["ask", "files_up_to", "run_loads", "server", "web"]


@pytest.fixture(autouse=True)
def records_elsewhere(tmp_path, monkeypatch):
    """A load keeps its record in the folder that it is started in."""
    monkeypatch.chdir(tmp_path)
