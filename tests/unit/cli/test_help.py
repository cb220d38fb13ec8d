"""What `--help` says, whole."""

import pytest
from click.testing import CliRunner

from seatrial.cli.main import commands


def helped(*arguments, columns=80):
    done = CliRunner().invoke(commands(), [*arguments, "--help"], env={"COLUMNS": str(columns)}, catch_exceptions=False)
    return done.stdout


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_first_sentence_of_each_command_is_there_to_its_end(columns):
    said = " ".join(helped(columns=columns).split())
    for name, command in commands().commands.items():
        first = " ".join((command.help or "").split("\n\n")[0].split()).partition(". ")[0].removesuffix(".")
        assert f"{name} {first}." in said


def test_a_line_that_is_copied_into_a_file_stays_one_line():
    assert "# yaml-language-server: $schema=contract.schema.json\n" in helped("schema")
