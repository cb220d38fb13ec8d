"""How long after a dependency's return a release was not as before. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seatrial.ledger import Ledger
from seatrial.stats import ALPHA
from seatrial.stats.proportions import chance_of_more
from seatrial.trials.dependency_outage import RECOVERED_WITHIN_S, SERVICE, DependencyOutage, Restoration
from seatrial.trials.workload import probe
from seatrial.watch.ownership import own_changes
from seatrial.watch.pods import is_ready, of_pod


@dataclass(frozen=True, slots=True)
class Recovery:
    """After how many seconds every pod was Ready, and every case right, for good; `due` are the cases from 30 s on."""

    dependency: str
    ready_s: float
    last_unready: str
    right_s: float
    wrong: Ledger
    due: Ledger

    @classmethod
    def of(cls, seen: DependencyOutage, back: Restoration, container: str) -> Recovery:
        """Of the cases that can be told of; a pod that was not Ready as the machine stood still, and then was, was."""
        rows = seen.told_of(seen.ledger.of(SERVICE).between(back.at_s, back.until_s))
        wrong = rows.select(~rows.right)
        right_s = float(np.nanmax(wrong.ended_s, initial=back.at_s))
        ready_s, last_unready = _ready_s(seen, back, container)
        due = rows.between(back.at_s + RECOVERED_WITHIN_S, back.until_s)
        return cls(back.dependency, ready_s - back.at_s, last_unready, right_s - back.at_s, wrong, due)

    @property
    def took_s(self) -> float:
        """From the return until all was as before."""
        return max(self.ready_s, self.right_s)

    def too_late(self, before: Ledger) -> str:
        """What was not as before when it had to be, "" if nothing: told of cases only if they were right `before`."""
        if self.ready_s > RECOVERED_WITHIN_S:
            return f"{self.last_unready} was not Ready {self.ready_s:.0f} s after its return"
        if self.right_s > RECOVERED_WITHIN_S and self._is_new(before):
            last = max(self.wrong, key=lambda row: row.ended_s)
            return f"a case was {last.became} {self.right_s:.0f} s after its return"
        return ""

    def _is_new(self, before: Ledger) -> bool:
        """Whether cases are wrong that were right; where some were not, whether more are wrong than by chance."""
        wrong_before = int((~before.right).sum())
        if not len(before) or not wrong_before or not len(self.due):
            return bool(len(before)) and not wrong_before
        return chance_of_more(int((~self.due.right).sum()), len(self.due), wrong_before, len(before)) <= ALPHA


def _ready_s(seen: DependencyOutage, back: Restoration, container: str) -> tuple[float, str]:
    """When a pod was last not Ready, from the return on, and which."""
    last_s, which = back.at_s, ""
    for pod in seen.pods:
        readiness = probe(pod.spec, container, "readiness")
        states = [(c.at_s, is_ready(c.object)) for c in of_pod(own_changes(seen), pod.name)]
        states = [state for state in states if state[0] <= back.until_s]
        if not states:
            continue  # it was made later
        ends = [at_s for at_s, _ in states[1:]] + [back.until_s]
        for (at_s, ready), end_s in zip(states, ends, strict=True):
            held_up = readiness and end_s < back.until_s and seen.stood_still(at_s - readiness.patience_s, at_s)
            if not ready and not held_up and end_s > last_s:
                last_s, which = end_s, pod.name
    return last_s, which
