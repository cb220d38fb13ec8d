"""What `--help` says, whole."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from seatrial.cli.main import commands, seatrial_command


def helped(*arguments, columns=80):
    done = CliRunner().invoke(
        seatrial_command, [*arguments, "--help"], env={"COLUMNS": str(columns)}, catch_exceptions=False
    )
    return done.stdout


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_first_sentence_of_each_command_is_there_to_its_end(columns):
    said = " ".join(helped(columns=columns).split())
    for name, command in commands().items():
        first = " ".join((command.help or "").split("\n\n")[0].split()).partition(". ")[0].removesuffix(".")
        assert f"{name} {first}." in said


def test_a_line_that_is_copied_into_a_file_stays_one_line():
    assert "# yaml-language-server: $schema=contract.schema.json\n" in helped("schema")


LOADED = """
import sys
from seatrial.cli import main
sys.argv = ["seatrial", "checks", "--only", "D1"]
try:
    main.main()
except SystemExit as ended:
    assert not ended.code, ended.code
print([name for name in sys.modules if name.startswith("seatrial.cli.") and not name.split(".")[2].startswith("_")])
"""


def test_a_command_loads_no_other():
    """All together take a second, which a command that answers at once has not."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "['seatrial.cli.main', 'seatrial.cli.checks']"


def test_a_command_that_is_none_is_told_from_those_that_are():
    done = CliRunner().invoke(seatrial_command, ["main"])
    assert (done.exit_code, "No such command" in done.output) == (2, True)
    assert {"certify", "check", "lint", "up"} <= set(commands())
