"""A pod that says it is ready answers: from its first 2xx readiness on, every case, right and in time.

Whatever sort of probe makes it Ready: where that is no HTTP probe, the pod's status says when it is.

And it goes on to answer: a case now and then, for as long as it says that it is ready, and the trial lasts.

Source: Kubernetes, "Pod Lifecycle", readiness; contract `probes.readiness`.
Judged at every container start that the install and the deletions caused, and after a restart in place.
"""

from dataclasses import dataclass

import numpy as np

from seatrial.contract import Api, Limits, ReadinessProbe, Restart
from seatrial.ledger import Ledger, Mask
from seatrial.observation import STOOD_STILL_S
from seatrial.stats.proportions import zero_event_bound
from seatrial.suite import check
from seatrial.trials.install import Install
from seatrial.trials.slots import surely_refused
from seatrial.trials.starts import (
    AT_FIRST_2XX,
    AT_READY,
    CASES,
    LATER,
    LATER_PERIOD_S,
    NO_CASES,
    POLLED,
    Start,
)
from seatrial.trials.wrong_answers import beside
from seatrial.verdict import Ground, Measurement, Verdict
from seatrial.watch.ownership import own_changes
from seatrial.watch.pods import is_ready, of_pod

WANTED_STARTS = 3
LAST_WORD_S = 0.2  # after a poll without a 2xx: the next is due every 50 ms


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
                f"{len(seen.wrong)} of {len(seen.cases) + len(seen.later)} not, the first {first.became} "
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
    measured = [Measurement("cases not right", 0, n=n, low=0.0, high=bound, confidence=0.95)]
    later = sum(len(seen.later) for seen in started)
    longest_s = max(seen.asked_for_s for seen in started)
    if later:
        measured.append(Measurement("asked after readiness, longest", longest_s, "s", n=later))
    return Ground(n, tuple(measured), tuple(told)).passed(
        "every case right and in time from the first 2xx readiness on",
        f"{n} cases over {len(whole)} starts, all right" + (f", and {later} later ones" if later else ""),
        detects=f"{bound:.1%} of the first requests failing, at 95% confidence"
        + (
            f"; {LATER_PERIOD_S:g} s in which a pod that says it is ready answers wrongly or late, up to "
            f"{longest_s:.0f} s after its readiness"
            if later
            else ""
        ),
    )


@dataclass(frozen=True, slots=True)
class SeenStart:
    """What was seen of one start of a container, from its first poll to the last case after it was ready."""

    start: Start
    ready_s: float  # when readiness was first seen
    not_ready: int  # polls before that, or states of the pod
    polled_ready: bool  # a poll saw it, too, or the pod's status
    cases: Ledger
    later: Ledger  # cases that came after those, while it said that it is ready
    wrong: Ledger  # those of both that were not right, or late

    @property
    def is_whole(self) -> bool:
        """The change from not ready to ready was seen, and enough cases were asked after it."""
        return bool(self.not_ready) and self.polled_ready and len(self.cases) >= CASES

    @property
    def asked_for_s(self) -> float:
        """How long after its readiness it was asked the last case."""
        rows = self.later if len(self.later) else self.cases
        return float(rows.sent_s.max()) - self.ready_s if len(rows) else 0.0

    @property
    def told(self) -> str:
        """As a sentence."""
        count = len(self.cases) + len(self.later)
        right = count - len(self.wrong)
        asked, then = ("probes", "2xx") if self.start.polled else ("states", "Ready")
        return (
            f"start {self.start.index} ({self.start.pod}, restart {self.start.restart}): {self.not_ready} {asked} not "
            f"ready, then {then} {self.ready_s - self.start.seen_s:.2f} s after the start was seen; "
            f"{right} of {count} right, the last {self.asked_for_s:.1f} s after that"
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
    later = while_ready(install, start, polls)
    later = later.select(~surely_refused(later, limits))
    late = not_in_time(later, deadline_s)
    # What is asked for so long may meet a machine that stands still.
    later = later.select(~late | ~(install.environmental(later) | install.held_up(later, STOOD_STILL_S)))
    asked = install.ledger.select(np.isin(install.ledger.row, [*cases.row, *later.row]))
    wrong = asked.select(not_in_time(asked, deadline_s))
    if not start.polled:
        return SeenStart(start, ready_s, start.unready, start.ready_s is not None, cases, later, wrong)
    return SeenStart(start, ready_s, int((polls.ended_s < ready_s).sum()), len(good) > 0, cases, later, wrong)


def not_in_time(rows: Ledger, deadline_s: float) -> Mask:
    """Which cases were not right, or late, shape (n,)."""
    late: Mask = ~rows.right | (rows.ended_s - rows.sent_s > deadline_s)
    return late


def while_ready(install: Install, start: Start, polls: Ledger) -> Ledger:
    """The later cases of a start during which the pod said that it is ready, by every poll and by its status.

    One that says it is not, while it does something else, need not answer.
    """
    later = install.ledger.of(LATER).in_group(start.index)
    denied = polls.select(~((polls.status >= 200) & (polls.status < 300) & (polls.error == polls.code(""))))
    states = [(change.at_s, is_ready(change.object)) for change in of_pod(own_changes(install), start.pod)]
    ends_s = [at_s for at_s, _ in states[1:]] + [float("inf")]
    unready = [(at_s, end_s) for (at_s, ready), end_s in zip(states, ends_s, strict=True) if not ready]
    unready += zip(denied.sent_s.tolist(), denied.ended_s.tolist(), strict=True)
    said: Mask = np.ones(len(later), dtype=np.bool_)
    for begin_s, end_s in unready:
        said &= ~((later.ended_s >= begin_s) & (later.sent_s <= end_s + LAST_WORD_S))
    return later.select(said)
