"""Runs the trials that the chosen checks need, each once, and judges as soon as a check has what it asks for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from seatrial.contract import Contract
from seatrial.errors import SeatrialError
from seatrial.observation import Seen
from seatrial.suite.check import Check
from seatrial.suite.judge import judge, promised
from seatrial.trials.trial import Trial, run_trial
from seatrial.trials.world import World
from seatrial.verdict import Verdict

OnTrial = Callable[[Trial, Seen | None, str, float], None]
OnVerdict = Callable[[Check, Verdict], None]


@dataclass
class Suite:
    """Trials and checks of one run. `on_trial` and `on_verdict` are called from one thread, in order."""

    contract: Contract
    checks: Mapping[str, Check]
    trials: Mapping[type[Seen], Trial]
    on_trial: OnTrial
    on_verdict: OnVerdict
    lanes: int = 3
    seen: dict[type[Seen], Seen] = field(default_factory=dict)
    lost: dict[type[Seen], str] = field(default_factory=dict)
    absent: set[type[Seen]] = field(default_factory=set)  # of trials whose promise is not made
    verdicts: dict[str, Verdict] = field(default_factory=dict)

    def run(self, world: World) -> dict[str, Verdict]:
        """Every check's verdict, in the order of the ids."""
        waiting = self._needed()
        running: dict[Future[Seen], tuple[Trial, float]] = {}
        pool = ThreadPoolExecutor(self.lanes, thread_name_prefix="trial")
        try:
            self._judge_complete()
            while waiting or running:
                self._start_what_can(pool, world, waiting, running)
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    trial, started = running.pop(future)
                    took_s = time.monotonic() - started
                    if error := future.exception():
                        self._finish(trial, None, _why(error), took_s)
                    else:
                        self._finish(trial, future.result(), "", took_s)
        finally:
            # Not waited for: after Ctrl-C a trial would otherwise go on to its end.
            pool.shutdown(wait=False, cancel_futures=True)
        return {id: self.verdicts[id] for id in self.checks}

    def _start_what_can(
        self,
        pool: ThreadPoolExecutor,
        world: World,
        waiting: list[Trial],
        running: dict[Future[Seen], tuple[Trial, float]],
    ) -> None:
        while trial := next((t for t in waiting if self._startable(t, running)), None):
            waiting.remove(trial)
            if blocked := next((kind for kind in trial.after if kind in self.lost), None):
                self._finish(trial, None, f"it needs {blocked.__name__}: {self.lost[blocked]}", 0.0)
            else:
                running[pool.submit(self._apply, trial, world, dict(self.seen))] = (trial, time.monotonic())

    def _needed(self) -> list[Trial]:
        """The trials behind the checks that apply, with what they build on."""
        needed: dict[type[Seen], Trial] = {}

        def need(kind: type[Seen]) -> None:
            trial = self.trials.get(kind)
            if trial is None:
                self.lost[kind] = f"no trial observes {kind.__name__}"
            elif not promised(self.contract, trial.promise):
                self.absent.add(kind)
            elif kind not in needed:
                for before in trial.after:
                    need(before)
                needed[kind] = trial

        for check in self.checks.values():
            if promised(self.contract, check.promise):
                for kind in check.observes().values():
                    need(kind)
        return sorted(needed.values(), key=lambda trial: trial.order)

    def _startable(self, trial: Trial, running: Mapping[Future[Seen], tuple[Trial, float]]) -> bool:
        if any(kind not in self.seen and kind not in self.lost for kind in trial.after):
            return False
        timed = sum(other.timed for other, _ in running.values())
        return len(running) < self.lanes and not (trial.timed and timed >= max(1, self.lanes - 1))

    def _apply(self, trial: Trial, world: World, earlier: dict[type[Seen], Seen]) -> Seen:
        """Run a trial, and again where the generator missed the schedule that one of its checks counts from.

        What decides is the generator's own health, before anything is judged: no run in search of a better verdict.
        """
        seen = run_trial(trial, world, earlier)
        counted = any(c.on_schedule and trial.observes in c.observes().values() for c in self.checks.values())
        if seen.generator.lag_bound_kept or not counted:
            return seen
        world.say(f"trial {trial.name}: the generator was up to {seen.generator.start_lag_max_s:.2f} s late; once more")
        return run_trial(trial, world.under(f"{world.run_id}-again", world.contract), earlier)

    def _finish(self, trial: Trial, seen: Seen | None, reason: str, took_s: float) -> None:
        if seen is None:
            self.lost[trial.observes] = reason
        else:
            self.seen[trial.observes] = seen
        self.on_trial(trial, seen, reason, took_s)
        self._judge_complete()

    def _judge_complete(self) -> None:
        for check in self.checks.values():
            if check.id in self.verdicts:
                continue
            needed = check.observes().values()
            applies = promised(self.contract, check.promise)
            known = {*self.seen, *self.lost, *self.absent}
            if applies and any(kind not in known for kind in needed):
                continue
            self.verdicts[check.id] = judge(check, self.contract, self.seen, self.lost)
            self.on_verdict(check, self.verdicts[check.id])


def _why(error: BaseException) -> str:
    if isinstance(error, SeatrialError):
        return str(error)
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    where = f" at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else ""
    return f"{type(error).__name__}: {error}{where}"
