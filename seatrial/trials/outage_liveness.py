"""Liveness through the outages of dependencies: what failed with an outage, and what with the machine. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seatrial.ledger import Ledger, Mask
from seatrial.stats.proportions import chance_of_more
from seatrial.trials.dependency_outage import LIVENESS, LIVENESS_PERIOD_S, DependencyOutage, Outage
from seatrial.trials.liveness import FailedRun, failed_runs, is_alive
from seatrial.trials.workload import HttpProbe, probe

LATE_SHARE = 0.5  # of a probe's timeout: a beacon that takes longer shows that the machine stood still


@dataclass(frozen=True, slots=True)
class Seconds:
    """In how many seconds of a window liveness was asked, and in how many of these a probe failed."""

    asked: int
    failed: int

    def chance_next_to(self, other: Seconds) -> float:
        """How likely as many failed ones are here, or more, if they fall anywhere by chance; 1.0 where none was asked.

        Seconds, not probes: when a machine stands still, the probes of all pods fail together.
        """
        return chance_of_more(self.failed, self.asked, other.failed, other.asked) if self.asked and other.asked else 1.0


@dataclass(frozen=True, slots=True)
class Liveness:
    """The liveness probes that say something of the service, and each pod's own as its live spec has it."""

    probes: Ledger
    of_pods: Mapping[str, HttpProbe]
    outages: tuple[Outage, ...]
    since_s: float  # when the first began

    @classmethod
    def of(cls, seen: DependencyOutage, container: str) -> Liveness:
        """Without those that got no answer while the beacon got none, or only after half the probe's timeout."""
        of_pods = {pod.name: found for pod in seen.pods if (found := probe(pod.spec, container, "liveness"))}
        probes = seen.ledger.of(LIVENESS).to(*of_pods)
        excused = seen.environmental(probes)
        for pod, its in of_pods.items():
            late = seen.held_up(probes, LATE_SHARE * its.timeout_s) & (probes.target == probes.code(pod))
            excused |= late & (probes.error != probes.code(""))
        return cls(probes.select(~excused), of_pods, seen.outages, seen.since_s)

    @property
    def failed(self) -> Mask:
        """Which of the probes failed, from the first outage on, shape (n,)."""
        lost: Mask = ~is_alive(self.probes) & (self.probes.sent_s >= self.since_s)
        return lost

    def unbearable(self) -> FailedRun | None:
        """The first run of failures that restarts a container, or would if the outage had not ended."""
        return next(filter(self._is_unbearable, failed_runs(self.probes, self.failed)), None)

    def _is_unbearable(self, run: FailedRun) -> bool:
        its = self.of_pods[run.pod]
        return run.restarts(its) or any(run.outlasts(each.end_s, its, LIVENESS_PERIOD_S) for each in self.outages)

    def during(self, outage: Outage) -> Seconds:
        """The seconds of an outage."""
        return _seconds(self.probes.between(outage.start_s, outage.end_s))

    def otherwise(self) -> Seconds:
        """The seconds that are in no outage."""
        at_s, within = self.probes.scheduled_s, np.zeros(len(self.probes), dtype=np.bool_)
        for outage in self.outages:
            within |= (at_s >= outage.start_s) & (at_s < outage.end_s)
        return _seconds(self.probes.select(~within))


def _seconds(probes: Ledger) -> Seconds:
    number = np.floor(probes.scheduled_s / LIVENESS_PERIOD_S)
    return Seconds(len(np.unique(number)), len(np.unique(number[~is_alive(probes)])))
