"""The command `seatrial`. Errors become one message and an exit status in one place."""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import NoReturn

import click

import seatrial.cli
from seatrial.errors import INTERRUPTS, SeatrialError, Terminated, why_stopped

EPILOG = "Exit status: 0 all MUSTs held, 1 a MUST or a gate failed, 2 could not judge, 3 bad usage or contract."
NOT_COMMANDS = ("main",)


class Commands(click.Group):
    """Every module beside this one that holds a click command of its own name is a command.

    It is imported when it is asked for: all of them together take a second.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """By their names."""
        found = (module.name for module in pkgutil.iter_modules(seatrial.cli.__path__))
        beside = (name for name in found if name not in NOT_COMMANDS and not name.startswith("_"))
        return sorted({*super().list_commands(ctx), *beside})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """None where there is no such command."""
        if (declared := super().get_command(ctx, cmd_name)) or cmd_name not in self.list_commands(ctx):
            return declared
        found = getattr(importlib.import_module(f"{seatrial.cli.__name__}.{cmd_name}"), cmd_name, None)
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with the whole first sentence of its help, which click cuts to one line."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(limit=sys.maxsize)) for name, command in self.each(ctx)]
            )

    def each(self, ctx: click.Context) -> Iterator[tuple[str, click.Command]]:
        """All of them, by their names."""
        for name in self.list_commands(ctx):
            if command := self.get_command(ctx, name):
                yield name, command


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="seatrial")
def seatrial_command() -> None:
    """Sea trials for inference services: deploy a chart, apply what production applies, judge with evidence."""


def commands() -> dict[str, click.Command]:
    """All of them, imported."""
    assert isinstance(seatrial_command, Commands)
    return dict(seatrial_command.each(click.Context(seatrial_command)))


def _terminate(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the second one would cut the cleaning up short
    raise Terminated


def main() -> None:
    """The program `seatrial`: run the command line it was given, and end the process with its status."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        run_command_line()
    except CutShort as end:
        sys.stdout.flush()
        if any(not thread.daemon and thread is not threading.main_thread() for thread in threading.enumerate()):
            os._exit(end.status)  # trials run in threads of their own, which would go on to their ends
        raise


class CutShort(SystemExit):
    """The end of a command that was stopped or refused, maybe in mid-trial: the program waits for no trial."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def run_command_line() -> NoReturn:
    """Run the command line in this process, whose other threads it leaves alone.

    Raises SystemExit with the status, and its CutShort where the command was stopped or refused.
    """
    try:
        sys.exit(seatrial_command(standalone_mode=False) or 0)
    except SeatrialError as error:
        click.echo(f"seatrial: {error}", err=True)
        raise CutShort(error.exit_code) from error
    except click.ClickException as error:
        error.show()
        sys.exit(3)
    except (*INTERRUPTS, click.Abort) as stopped:
        # click makes an Abort of Ctrl-C.
        by = stopped if isinstance(stopped, Terminated) else KeyboardInterrupt()
        click.echo(f"seatrial: {why_stopped(by)}", err=True)
        raise CutShort(143 if isinstance(stopped, Terminated) else 130) from stopped
    except Exception as defect:  # noqa: BLE001 - the interpreter's own status, 1, would say that a MUST failed
        click.echo(f"seatrial: a defect of Seatrial itself, nothing was judged: {_where(defect)}", err=True)
        if os.environ.get("SEATRIAL_TRACEBACK"):
            traceback.print_exception(defect)
        else:
            click.echo("set SEATRIAL_TRACEBACK=1 for all of it, and report it with the command line", err=True)
        sys.exit(SeatrialError.exit_code)


def _where(defect: Exception) -> str:
    last = traceback.extract_tb(defect.__traceback__)[-1]
    return f"{type(defect).__name__}: {defect}, at {last.filename}:{last.lineno}"


if __name__ == "__main__":
    main()
