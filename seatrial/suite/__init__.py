"""Checks and the trials that feed them: found by path, run once, judged as pure functions."""

from seatrial.suite.check import Check, check

__all__ = ["Check", "check"]
