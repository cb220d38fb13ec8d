"""A pod that says it is ready answers: from its first 2xx readiness on, every case, right and in time.

Whatever sort of probe makes it Ready: where that is no HTTP probe, the pod's status says when it is.

Source: Kubernetes, "Pod Lifecycle", readiness; contract `probes.readiness`.
Judged at every container start that the install and the deletions caused, and after a restart in place.
"""

from dataclasses import dataclass

import numpy as np

from seatrial.contract import Api, Limits, ReadinessProbe, Restart
from seatrial.ledger import Ledger
from seatrial.stats.proportions import zero_event_bound
from seatrial.suite import check
from seatrial.trials.install import Install
from seatrial.trials.slots import surely_refused
from seatrial.trials.starts import AT_FIRST_2XX, AT_READY, CASES, NO_CASES, POLLED, Start
from seatrial.trials.wrong_answers import beside
from seatrial.verdict import Ground, Measurement, Verdict

WANTED_STARTS = 3


@check("P1", level="MUST", ablation=NO_CASES)
def ready_implies_inference(
    readiness: ReadinessProbe, api: Api, limits: Limits | None, restart: Restart | None, install: Install
) -> Verdict:
    deadline_s = api.deadline_s or float("inf")
    started = [seen for start in install.starts if (seen := seen_start(install, limits, start, deadline_s))]
    told: list[str] = []
    n = 0
    for seen in started:
        told.append(seen.told)
        n += len(seen.cases)
        if len(seen.wrong):
            first = next(iter(seen.wrong))
            shown, do = "", "let the readiness probe succeed only once inference works"
            if first.has_another_answer:
                shown = f"; {beside(dict(api.named_cases()).get(first.case), first)}"
                if not any(each.cases.right.any() for each in started):
                    do = "correct what the contract expects of its cases, or what the service answers: none was right"
            return Ground(n=n, evidence=tuple(told)).failed(
                f"every case right and in time from the {first_sign(seen)} on",
                f"{len(seen.wrong)} of {len(seen.cases)} not, the first {first.became} "
                f"{first.sent_s - seen.ready_s:.2f} s after it ({first.load}){shown}",
                do,
                rows=seen.wrong,
            )

    whole = [seen for seen in started if seen.is_whole]
    restarts = sum(seen.start.restart > 0 for seen in whole)
    wanted_restarts = 1 if restart else 0
    if len(whole) < WANTED_STARTS or restarts < wanted_restarts:
        return Ground(n=len(whole), evidence=tuple(told)).inconclusive(
            f"{WANTED_STARTS} starts with a not-ready phase before readiness, {wanted_restarts} of them a restart",
            f"{len(whole)} such starts, {restarts} restarts",
            "make the start slow enough to be seen, or run again",
        )
    bound = zero_event_bound(n)
    measured = Measurement("cases not right", 0, n=n, low=0.0, high=bound, confidence=0.95)
    return Ground(n, (measured,), tuple(told)).passed(
        "every case right and in time from the first 2xx readiness on",
        f"{n} cases over {len(whole)} starts, all right",
        detects=f"{bound:.1%} of the first requests failing, at 95% confidence",
    )


@dataclass(frozen=True, slots=True)
class SeenStart:
    """What was seen of one start of a container, from its first poll to the last case after it was ready."""

    start: Start
    ready_s: float  # when readiness was first seen
    not_ready: int  # polls before that, or states of the pod
    polled_ready: bool  # a poll saw it, too, or the pod's status
    cases: Ledger
    wrong: Ledger  # those that were not right, or late

    @property
    def is_whole(self) -> bool:
        """The change from not ready to ready was seen, and enough cases were asked after it."""
        return bool(self.not_ready) and self.polled_ready and len(self.cases) >= CASES

    @property
    def told(self) -> str:
        """As a sentence."""
        right = len(self.cases) - len(self.wrong)
        asked, then = ("probes", "2xx") if self.start.polled else ("states", "Ready")
        return (
            f"start {self.start.index} ({self.start.pod}, restart {self.start.restart}): {self.not_ready} {asked} not "
            f"ready, then {then} {self.ready_s - self.start.seen_s:.2f} s after the start was seen; "
            f"{right} of {len(self.cases)} right"
        )


def first_sign(seen: SeenStart) -> str:
    """What said that a pod is ready."""
    return "first 2xx readiness" if seen.start.polled else "Ready condition"


def seen_start(install: Install, limits: Limits | None, start: Start, deadline_s: float) -> SeenStart | None:
    """A start of which a ready poll or a case was seen; None for others."""
    polls = install.ledger.of(POLLED).in_group(start.index)
    good = polls.select((polls.status >= 200) & (polls.status < 300) & (polls.error == polls.code("")))
    cases = install.ledger.of(AT_FIRST_2XX, AT_READY).in_group(start.index)
    # Two series of cases side by side may meet a limit of one.
    cases = cases.select(~surely_refused(cases, limits))
    if not len(good) and not len(cases):
        return None
    # The kubelet may have seen a 2xx that the polls missed: then the first case marks the moment.
    ready_s = float(np.nanmin([*good.ended_s, *cases.scheduled_s]))
    wrong = cases.select(~cases.right | (cases.ended_s - cases.sent_s > deadline_s))
    if not start.polled:
        return SeenStart(start, ready_s, start.unready, start.ready_s is not None, cases, wrong)
    return SeenStart(start, ready_s, int((polls.ended_s < ready_s).sum()), len(good) > 0, cases, wrong)
