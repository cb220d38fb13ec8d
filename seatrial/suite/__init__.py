"""Checks and the trials that feed them: found by path, run once, judged as pure functions."""

from seatrial.suite.check import Check, check
from seatrial.suite.parameters import RunObservations

__all__ = ["Check", "RunObservations", "check"]
