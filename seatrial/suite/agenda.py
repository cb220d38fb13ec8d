"""Which trials of a run are not finished: which may start next, and how long the rest may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from seatrial.trials.trial import Trial

# What a trial counts that has already run for longer than it usually does: it may end at any moment.
OVERRUN_S = 5.0


@dataclass(frozen=True, slots=True)
class Agenda:
    """The trials to come, those of a lower `order` first, and those that run, with the time at which each began.

    A value: `begin` and `end` make another one. Times are seconds on any one clock.
    """

    lanes: int
    waiting: tuple[Trial, ...]
    running: Mapping[Trial, float] = field(default_factory=dict)

    def next(self) -> Trial | None:
        """The trial that may start now.

        It waits for what it builds on. With more than one lane, one is kept free of trials whose timings must not
        be disturbed.
        """
        if len(self.running) >= self.lanes:
            return None
        pending = {trial.observes for trial in (*self.waiting, *self.running)}
        quiet_lanes = max(1, self.lanes - 1) - sum(trial.timed for trial in self.running)
        startable = (t for t in self.waiting if not pending.intersection(t.after) and (quiet_lanes > 0 or not t.timed))
        return next(startable, None)

    def begin(self, trial: Trial, now_s: float) -> Agenda:
        """It runs from now on; one that runs already begins anew."""
        waiting = tuple(each for each in self.waiting if each is not trial)
        return replace(self, waiting=waiting, running={**self.running, trial: now_s})

    def end(self, trial: Trial) -> Agenda:
        """It is over, or will not be run."""
        waiting = tuple(each for each in self.waiting if each is not trial)
        return replace(
            self, waiting=waiting, running={each: at for each, at in self.running.items() if each is not trial}
        )

    def left_s(self, now_s: float) -> float:
        """Wall-clock time until the last trial ends, if each takes as long as it says.

        Found by going through the run: what may start does, then the trial that is due first ends.
        """
        ahead, at_s = self, now_s
        while True:
            while (trial := ahead.next()) is not None:
                ahead = ahead.begin(trial, at_s)
            if not ahead.running:
                return at_s - now_s
            due = {trial: max(began_s + trial.lasts_s, now_s + OVERRUN_S) for trial, began_s in ahead.running.items()}
            first = min(due, key=lambda trial: due[trial])
            ahead, at_s = ahead.end(first), due[first]
