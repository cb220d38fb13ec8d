"""Every error that Seatrial raises, split by who must act.

    SeatrialError            exit status 2: no judgement was possible
    ├── InputError           exit status 3: the author of a contract, chart, kubeconfig or flag acts
    ├── ClusterError         exit status 2: the operator of the cluster or network acts
    └── InvalidMeasurement   exit status 2: our own generator or clock fell short

A service that misbehaves is a verdict, never an exception. A message says what was expected, what was
found and what to do. What a user's own file raises, `SystemExit` too, is an InputError that names the file;
only INTERRUPTS pass through, wherever they come.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seatrial.observation import Remains


class SeatrialError(Exception):
    """Could not judge. `remains` is what a trial had seen that this ended, where it ended one."""

    exit_code = 2
    remains: Remains | None = None


class InputError(SeatrialError):
    """A contract, scenario, chart, image, kubeconfig or flag is wrong; its author acts."""

    exit_code = 3


class ClusterError(SeatrialError):
    """The cluster or the network refused; its operator acts."""


class InvalidMeasurement(SeatrialError):
    """The generator or its clock cannot vouch for what it measured."""


class Terminated(BaseException):
    """SIGTERM, as a CI job that is cancelled gets it: ends the run as Ctrl-C does, with nothing left behind."""


INTERRUPTS = (KeyboardInterrupt, Terminated)


def in_words(error: BaseException) -> str:
    """What the system, Python or a library found wrong, without the numbers and types by which programs tell errors."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(error, KeyError):
        return f"no {error.args[0]}"
    return re.sub(r"\[Errno -?\d+\] ", "", str(error)) or type(error).__name__


def why_stopped(by: BaseException) -> str:
    """What ended a run before its time, as a reader of its record is told."""
    if isinstance(by, KeyboardInterrupt):
        return "stopped by Ctrl-C"
    if isinstance(by, Terminated):
        return "stopped by SIGTERM"
    if isinstance(by, SeatrialError):
        return str(by)
    return f"a defect of Seatrial itself: {type(by).__name__}: {by}".removesuffix(": ")
