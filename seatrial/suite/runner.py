"""Runs the trials that the chosen checks need, each once, and judges as soon as a check has what it asks for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from seatrial.contract import Contract
from seatrial.errors import SeatrialError
from seatrial.observation import Observation, Remains
from seatrial.record import FirstTry
from seatrial.suite.agenda import Agenda
from seatrial.suite.check import Check
from seatrial.suite.judge import judge
from seatrial.trials.context import ContractRefuted, TrialContext
from seatrial.trials.trial import Trial, run_trial
from seatrial.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Ended:
    """How a trial ended: with what it saw, or with the reason why it has no observation, and what remains of it.

    `first_try` is there when it was run twice; `took_s` is the last run's.
    """

    trial: Trial
    seen: Observation | None
    reason: str
    took_s: float
    first_try: FirstTry | None
    remains: Remains | None = None


OnTrial = Callable[[Ended], None]
OnVerdict = Callable[[Check, Verdict], None]


@dataclass
class Suite:
    """Trials and checks of one run. `on_trial` and `on_verdict` are called from one thread, in order."""

    contract: Contract
    checks: Mapping[str, Check]
    trials: Mapping[type[Observation], Trial]
    on_trial: OnTrial
    on_verdict: OnVerdict
    lanes: int = 3
    seen: dict[type[Observation], Observation] = field(default_factory=dict)
    lost: dict[type[Observation], str] = field(default_factory=dict)
    absent: set[type[Observation]] = field(default_factory=set)  # of trials whose promise is not made
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    first_tries: dict[Trial, FirstTry] = field(default_factory=dict)
    agenda: Agenda = field(init=False)  # replaced as a whole: any thread may read it

    def __post_init__(self) -> None:
        self.agenda = Agenda(self.lanes, tuple(self._needed()))

    def left_s(self) -> float:
        """How long the trials may still take by the wall clock."""
        return self.agenda.left_s(time.monotonic())

    def run(self, context: TrialContext) -> dict[str, Verdict]:
        """Every check's verdict, in the order of the ids."""
        import scipy.stats  # noqa: F401 - now, and not at its first use, when it would hold up watches in mid-trial

        running: dict[Future[Observation], Trial] = {}
        pool = ThreadPoolExecutor(self.lanes, thread_name_prefix="trial")

        def start(trial: Trial, context: TrialContext) -> None:
            self.agenda = self.agenda.begin(trial, time.monotonic())
            running[pool.submit(run_trial, trial, context, dict(self.seen))] = trial

        try:
            self._judge_complete()
            while self.agenda.waiting or running:
                while trial := self.agenda.next():
                    if why := self._blocked(trial):
                        self._finish(trial, None, why)
                    else:
                        start(trial, context)
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    trial = running.pop(future)
                    error = future.exception()
                    if isinstance(error, ContractRefuted):
                        raise error
                    if error:
                        remains = error.remains if isinstance(error, SeatrialError) else None
                        self._finish(trial, None, _why(error), remains)
                    elif late := self._too_late(trial, future.result()):
                        self.first_tries[trial] = late
                        context.say(f"trial {trial.name}: {late.reason}; once more")
                        start(trial, context.under(f"{context.run_id}-again", context.contract))
                    else:
                        self._finish(trial, future.result(), "")
        finally:
            # Not waited for: after Ctrl-C a trial would otherwise go on to its end.
            pool.shutdown(wait=False, cancel_futures=True)
        return {id: self.verdicts[id] for id in self.checks}

    def _needed(self) -> list[Trial]:
        """The trials behind the checks that apply, with what they build on."""
        needed: dict[type[Observation], Trial] = {}

        def need(kind: type[Observation]) -> None:
            trial = self.trials.get(kind)
            if trial is None:
                self.lost[kind] = f"no trial observes {kind.__name__}"
            elif not trial.promised_by(self.contract):
                self.absent.add(kind)
            elif kind not in needed:
                for before in trial.after:
                    need(before)
                needed[kind] = trial

        for check in self.checks.values():
            if not check.unmade(self.contract):
                for kind in check.observes().values():
                    need(kind)
        return sorted(needed.values(), key=lambda trial: trial.order)

    def _blocked(self, trial: Trial) -> str:
        """Why a trial cannot be run for want of what it builds on; "" when all of it was seen."""
        kind = next((kind for kind in trial.after if kind not in self.seen or self.seen[kind].stopped), None)
        if kind is None:
            return ""
        if kind in self.seen:
            return f"it needs the trial {self.trials[kind].name}, which was {self.seen[kind].stopped}"
        needed = f"the trial {self.trials[kind].name}" if kind in self.trials else kind.__name__
        return f"it needs {needed}: {self.lost.get(kind, 'the contract does not promise that')}"

    def _too_late(self, trial: Trial, seen: Observation) -> FirstTry | None:
        """The first try of a trial whose generator missed the schedule that one of its checks counts from.

        What decides is the generator's own health, before anything is judged: no run in search of a better verdict.
        """
        counted = any(c.timed and trial.observes in c.observes().values() for c in self.checks.values())
        if seen.generator.lag_bound_kept or seen.stopped or not counted or trial in self.first_tries:
            return None
        return FirstTry.of(seen.generator)

    def _finish(self, trial: Trial, seen: Observation | None, reason: str, remains: Remains | None = None) -> None:
        now_s = time.monotonic()
        took_s = now_s - self.agenda.running.get(trial, now_s)
        self.agenda = self.agenda.end(trial)
        if seen is None:
            self.lost[trial.observes] = reason
        else:
            self.seen[trial.observes] = seen
        self.on_trial(Ended(trial, seen, reason, took_s, self.first_tries.get(trial), remains))
        self._judge_complete()

    def _judge_complete(self) -> None:
        for check in sorted(self.checks.values(), key=lambda check: check.sees_all):
            if check.id in self.verdicts:
                continue
            known = {*self.seen, *self.lost, *self.absent}
            unknown = any(kind not in known for kind in check.observes().values())
            going_on = check.sees_all and bool(self.agenda.waiting or self.agenda.running)
            if (unknown or going_on) and not check.unmade(self.contract):
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
