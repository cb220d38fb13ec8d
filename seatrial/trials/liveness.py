"""Liveness as the kubelet judges it, of probes that are sent more often than the kubelet sends them. Pure.

A container is restarted when `failureThreshold` probes in a row, one each `periodSeconds`, are not answered with 200 to
399 within `timeoutSeconds`. Source: Kubernetes, "Liveness, Readiness, and Startup Probes";
pkg/kubelet/prober/worker.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seatrial.ledger import Ledger, Mask
from seatrial.trials.workload import HttpProbe

LEAST_IN_A_ROW = 2  # where the threshold is 1: what a kubelet did not meet itself restarts nothing, and machines stall
SLACK_S = 0.5  # what is to be a second apart may be sent that much closer


def is_alive(probes: Ledger) -> Mask:
    """Which probes the kubelet would have taken as good, shape (n,)."""
    answered: Mask = probes.error == probes.code("")
    return answered & (probes.status >= 200) & (probes.status < 400)


def threshold(probe: HttpProbe) -> int:
    """How many failures in a row are held against a pod: its probe's threshold, at least LEAST_IN_A_ROW."""
    return max(probe.failure_threshold, LEAST_IN_A_ROW)


@dataclass(frozen=True, slots=True)
class FailedRun:
    """Probes of one pod that failed one after the other, in the order of their sending.

    `in_a_row` of them a kubelet with the shortest period, 1 s, would have sent: the next when the one before has ended.
    """

    pod: str
    rows: Ledger
    in_a_row: int

    @property
    def first_s(self) -> float:
        """When the first of them was sent."""
        return float(self.rows.sent_s[0])

    @property
    def last_s(self) -> float:
        """When the last of them was sent."""
        return float(self.rows.sent_s[-1])

    def restarts(self, probe: HttpProbe) -> bool:
        """Whether a kubelet that probes once a period could have seen the threshold within this run, and acted."""
        needed_s = (threshold(probe) - 1) * probe.period_s
        return self.in_a_row >= threshold(probe) and self.last_s - self.first_s >= needed_s - SLACK_S

    def outlasts(self, end_s: float, probe: HttpProbe, every_s: float) -> bool:
        """Whether it reached the threshold, and went on until end_s or longer; `every_s` lies between two probes."""
        last_possible_s = self.last_s + max(probe.timeout_s, every_s) + SLACK_S
        return self.in_a_row >= threshold(probe) and self.first_s < end_s <= last_possible_s


def failed_runs(probes: Ledger, failed: Mask) -> Iterator[FailedRun]:
    """The runs of each pod's probes that failed (shape (n,)), in their order; only an answered one ends a run."""
    alive = is_alive(probes)
    for pod in dict.fromkeys(probes.texts("target")):
        own = probes.target == probes.code(pod)
        lives = np.cumsum(alive & own)  # how many were answered until then: equal throughout a run
        for number in np.unique(lives[own & failed]):
            rows = probes.select(own & failed & (lives == number))
            yield FailedRun(pod, rows, _in_a_row(rows))


def _in_a_row(rows: Ledger) -> int:
    count, free_s = 0, float("-inf")
    for sent_s, ended_s in zip(rows.sent_s.tolist(), rows.ended_s.tolist(), strict=True):
        if sent_s >= free_s - SLACK_S:
            count, free_s = count + 1, ended_s
    return count
