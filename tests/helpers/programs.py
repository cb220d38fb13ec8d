"""Tests that need a program of the machine."""

import pytest

from seatrial.programs import Program, on_path


def why_skipped(program: Program) -> str:
    """What a skipped test says of the program that it lacks; "" where it runs."""
    if program.runs:
        return ""
    return f"{program.name} on PATH: {program.found}" if program.broken else f"no {program.name} on PATH"


def needs(name: str) -> pytest.MarkDecorator:
    """Skips a test where PATH has no such program, or one that cannot run."""
    why = why_skipped(on_path(name))
    return pytest.mark.skipif(bool(why), reason=why)
