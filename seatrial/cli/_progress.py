"""Progress on stderr: what is being done, what was judged, and how long it may still take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import click

from seatrial.reporting.text import plural
from seatrial.suite.check import Check
from seatrial.suite.runner import Ended
from seatrial.verdict import Outcome, Verdict

MARKS = {
    Outcome.PASS: ("pass", "green"),
    Outcome.FAIL: ("FAIL", "red"),
    Outcome.INCONCLUSIVE: ("inconclusive", "yellow"),
    Outcome.ERROR: ("ERROR", "red"),
    Outcome.SKIPPED: ("skipped", "blue"),
}


# From here on whole minutes are told; below, steps of ten seconds.
MINUTES_FROM_S = 90.0


class Silence:
    """Tells nothing."""

    def plan(self, trials: int, left_s: Callable[[], float]) -> None: ...
    def doing(self, what: str) -> None: ...
    def trial(self, ended: Ended) -> None: ...
    def verdict(self, check: Check, verdict: Verdict) -> None: ...


_HEAD = len("[22/22, about 5 min left]")


class Narrator:
    """One line for each thing that happens: since when, checks judged, how long it may still take, and what."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._judged = 0
        self._started = time.monotonic()
        self._left_s: Callable[[], float] = lambda: 0.0

    def plan(self, trials: int, left_s: Callable[[], float]) -> None:
        self._line(f"{plural(trials, 'trial')}, {about(left_s())}" if trials else "no trials")
        self._left_s = left_s

    def doing(self, what: str) -> None:
        self._line(what)

    def trial(self, ended: Ended) -> None:
        if ended.seen and ended.seen.stopped:
            self._line(f"trial {ended.trial.name} was {ended.seen.stopped}")
            return
        broke = f" and broke: {ended.reason}" if ended.reason else ""
        self._line(f"trial {ended.trial.name} took {ended.took_s:.0f} s{broke}")

    def verdict(self, check: Check, verdict: Verdict) -> None:
        self._judged += 1
        word, colour = MARKS[verdict.outcome]
        self._line(f"{click.style(f'{word:12}', fg=colour)} {check.id:4} {check.name}: {verdict.found}")

    def _line(self, text: str) -> None:
        passed_s = time.monotonic() - self._started
        left_s = self._left_s()
        left = f", {about(left_s)} left" if left_s else ""
        head = f"[{self._judged}/{len(self._checks)}{left}]"
        click.echo(f"{int(passed_s) // 60:2}:{int(passed_s) % 60:02} {head:{_HEAD}} {text}", err=True)


def about(duration_s: float) -> str:
    """A forecast as it reads, no more exact than it is: `about 40 s`, `about 3 min`."""
    if duration_s >= MINUTES_FROM_S:
        return f"about {round(duration_s / 60)} min"
    return f"about {max(1, math.ceil(duration_s / 10)) * 10} s"
