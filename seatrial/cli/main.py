"""The command `seatrial`. Errors become one message and an exit status in one place."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys

import click

import seatrial.cli
from seatrial.errors import SeatrialError

EPILOG = "Exit status: 0 all MUSTs held, 1 a MUST or a gate failed, 2 could not judge, 3 bad usage or contract."
NOT_COMMANDS = ("main",)


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="seatrial")
def seatrial_command() -> None:
    """Sea trials for inference services: deploy a chart, apply what production applies, judge with evidence."""


def _add_commands() -> None:
    """Every module beside this one that holds a click command of its own name is a command."""
    for found in pkgutil.iter_modules(seatrial.cli.__path__):
        if found.name in NOT_COMMANDS or found.name.startswith("_"):
            continue
        command = getattr(importlib.import_module(f"seatrial.cli.{found.name}"), found.name, None)
        if isinstance(command, click.Command):
            seatrial_command.add_command(command)


def main() -> None:
    """Run the command line."""
    _add_commands()
    try:
        sys.exit(seatrial_command(standalone_mode=False) or 0)
    except SeatrialError as error:
        click.echo(f"seatrial: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(3)
    except (KeyboardInterrupt, click.Abort):
        click.echo("seatrial: interrupted; the record so far is kept", err=True)
        sys.stdout.flush()
        os._exit(130)  # a trial in a thread of its own would go on to its end


if __name__ == "__main__":
    main()
