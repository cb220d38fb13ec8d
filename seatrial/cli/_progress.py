"""Progress on stderr: what is being done, what was judged, and how long it may still take."""

from __future__ import annotations

import time
from collections.abc import Mapping

import click

from seatrial.suite.check import Check
from seatrial.trials.trial import Trial
from seatrial.verdict import Outcome, Verdict

MARKS = {
    Outcome.PASS: ("pass", "green"),
    Outcome.FAIL: ("FAIL", "red"),
    Outcome.INCONCLUSIVE: ("inconclusive", "yellow"),
    Outcome.ERROR: ("ERROR", "red"),
    Outcome.SKIPPED: ("skipped", "blue"),
}


class Silence:
    """Tells nothing."""

    def doing(self, what: str) -> None: ...
    def trial(self, trial: Trial, reason: str, took_s: float) -> None: ...
    def verdict(self, check: Check, verdict: Verdict) -> None: ...


class Narrator:
    """One line for each thing that happens."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._judged = 0
        self._started = time.monotonic()

    def doing(self, what: str) -> None:
        self._line(what)

    def trial(self, trial: Trial, reason: str, took_s: float) -> None:
        self._line(f"trial {trial.name} took {took_s:.0f} s" + (f" and broke: {reason}" if reason else ""))

    def verdict(self, check: Check, verdict: Verdict) -> None:
        self._judged += 1
        word, colour = MARKS[verdict.outcome]
        self._line(f"{click.style(f'{word:12}', fg=colour)} {check.id:4} {check.name}: {verdict.found}")

    def _line(self, text: str) -> None:
        passed_s = time.monotonic() - self._started
        head = f"{int(passed_s) // 60:2}:{int(passed_s) % 60:02} [{self._judged}/{len(self._checks)}]"
        click.echo(f"{head} {text}", err=True)
