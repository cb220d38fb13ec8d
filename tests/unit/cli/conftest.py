"""Command lines, as they are typed."""

import sys

import pytest

from seatrial.cli.main import main


@pytest.fixture
def seatrial(monkeypatch, capsys):
    """Runs a command line; its status and what it said on stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["seatrial", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return ended.value.code, said.err

    return run
