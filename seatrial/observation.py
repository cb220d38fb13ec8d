"""What a trial saw: immutable, serialisable, on one clock.

All times are seconds on the run's clock (a monotonic clock, zero at the start of the run). A time that did
not happen is NaN in a ledger and None elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from seatrial.ledger import Ledger, Mask


@dataclass(frozen=True, slots=True)
class Change:
    """One watch event: when it arrived, and the object as it was sent."""

    at_s: float
    kind: str  # Pod, EndpointSlice, Event, Deployment, ReplicaSet, HorizontalPodAutoscaler, ...
    type: str  # ADDED, MODIFIED, DELETED
    name: str
    object: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All watch events of a namespace, in order of arrival; `gaps` tells where a watch was interrupted."""

    changes: tuple[Change, ...] = ()
    gaps: tuple[str, ...] = ()

    def of(self, kind: str, name: str | None = None) -> tuple[Change, ...]:
        """The changes of one kind, or of one object."""
        return tuple(c for c in self.changes if c.kind == kind and (name is None or c.name == name))


@dataclass(frozen=True, slots=True)
class Scrape:
    """One reading of a pod's /metrics."""

    at_s: float
    pod: str
    status: int  # 0: no answer
    text: str
    took_s: float


@dataclass(frozen=True, slots=True)
class Log:
    """Output of one container of one pod; times are the cluster's, brought to the run's clock."""

    pod: str
    container: str
    previous: bool
    lines: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left of a trial that came to no observation: what its sandbox had seen by then."""

    timeline: Timeline
    logs: tuple[Log, ...]


# A queue before a server that is busier than this waits for several times as long as one request takes (M/M/1).
SUSTAINED_BUSY_RATIO = 0.75


@dataclass(frozen=True, slots=True)
class GeneratorHealth:
    """Whether the generator kept its schedule and saw what it was shown."""

    scheduled: int
    sent: int
    start_lag_p99_s: float
    start_lag_max_s: float
    loop_lag_max_s: float
    clock_bound_s: float  # half the best round trip to the generator's clock
    self_test: tuple[str, ...] = ()  # what the self-test found wrong; empty: it saw everything as it was
    lag_p99_bound_s: float = 0.005  # max(5 ms, a tenth of a lone request's latency)
    lag_max_bound_s: float = 0.25
    cpu_s: float = 0.0  # what the generator's process spent from the first start to the last end
    planned_s: float = 0.0  # from the first to the last time at which something was due

    @property
    def processes_needed(self) -> int:
        """How many such processes would have carried the schedule, each with a quarter of its core to spare."""
        return max(1, math.ceil(self.cpu_s / self.planned_s / SUSTAINED_BUSY_RATIO)) if self.planned_s else 1

    @property
    def lag_bound_kept(self) -> bool:
        """Everything was sent, and sent in time."""
        return (
            self.scheduled == self.sent
            and self.start_lag_p99_s <= self.lag_p99_bound_s
            and self.start_lag_max_s <= self.lag_max_bound_s
        )


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of the subject as it was when the trial addressed it."""

    name: str
    ip: str
    node: str
    uid: str
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Workload:
    """What pods belong to: a Deployment or a StatefulSet by its name, or, made at run time, whatever has these labels.

    With a selector, kind and name are "". `service` is the Service under load: EndpointSlices of others say nothing
    about the pods. "" is any.
    """

    kind: str = ""
    name: str = ""
    selector: Mapping[str, str] = field(default_factory=dict)
    service: str = ""

    def __str__(self) -> str:
        if self.selector:
            return "pods with " + ",".join(f"{key}={value}" for key, value in self.selector.items())
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class DependencyCounts:
    """What the gate before a dependency had counted since it started, read between two times.

    Of a connection that was refused, nobody but its client knows. `requests` is None where the protocol is not HTTP.
    """

    asked_s: float
    read_s: float
    mode: str  # open, refuse, stall or slow
    connections: int  # accepted
    open: int  # at that time
    cut: int  # reset by the trial
    unreachable: int  # that the server itself did not take
    sent_bytes: int  # passed on to the dependency
    received_bytes: int  # passed on from it
    requests: int | None
    unreadable: int  # connections of which HTTP could not be read any more


@dataclass(frozen=True, slots=True)
class Switch:
    """Something done to a dependency: to none of its connections before `asked_s`, to all of them from `done_s` on."""

    what: str  # open, refuse, stall, slow, or cut
    asked_s: float
    done_s: float
    delay_s: float = 0.0
    bytes_per_s: float = 0.0  # 0: not limited


@dataclass(frozen=True, slots=True)
class ObservedDependency:
    """A dependency that Seatrial brought, and what the trial did to it."""

    name: str
    kind: str  # postgres, s3, http
    service: str  # where the release found it
    stands_by: str  # the image or the program that served, with its version
    switches: tuple[Switch, ...]
    counts: tuple[DependencyCounts, ...]  # at each switch, whenever the trial asked, and at the end


@dataclass(frozen=True, slots=True)
class Observation:
    """What every trial sees and keeps."""

    trial: str
    namespace: str
    wall_origin_s: float  # Unix time at zero of the run's clock
    started_s: float
    ended_s: float
    values: Mapping[str, Any]  # the Helm values that the release was installed with
    ledger: Ledger
    timeline: Timeline
    scrapes: tuple[Scrape, ...]
    logs: tuple[Log, ...]
    pods: tuple[Pod, ...]  # the subject's
    generator: GeneratorHealth
    subject: Workload  # what was under trial; other pods of the namespace are in the timeline, and are not judged
    marks: Mapping[str, float] = field(default_factory=dict)  # named moments of the stimulus
    dependencies: tuple[ObservedDependency, ...] = ()
    stopped: str = ""  # why the trial was stopped before its end; "" where it was not

    def __post_init__(self) -> None:
        """Its ledger's rows name this trial wherever they go."""
        object.__setattr__(self, "ledger", replace(self.ledger, trial=self.trial))

    def environmental(self, rows: Ledger) -> Mask:
        """Which of these rows broke when the beacon did, shape (n,): no fault of the subject can be told from them.

        Within a second of each other ended a row and a beacon's without an answer, or, where the row never was
        connected, they set out: a Service without a network times out later the longer a client waits.
        """
        beacon = self.ledger.of("beacon")
        lost = beacon.select(~beacon.right)
        near: Mask = np.zeros(len(rows), dtype=np.bool_)
        for sent_s, ended_s in zip(lost.sent_s.tolist(), lost.ended_s.tolist(), strict=True):
            near |= np.abs(rows.ended_s - ended_s) <= SHARED_WITHIN_S
            near |= np.isnan(rows.connected_s) & (np.abs(rows.sent_s - sent_s) <= SHARED_WITHIN_S)
        broken: Mask = rows.error != rows.code("")
        return near & broken

    def held_up(self, rows: Ledger, longer_than_s: float) -> Mask:
        """Which rows were under way within a second of a beacon's that took longer than this, shape (n,)."""
        beside: Mask = np.zeros(len(rows), dtype=np.bool_)
        for due_s, ended_s in self._beacon_late(longer_than_s):
            beside |= (rows.sent_s <= ended_s + SHARED_WITHIN_S) & ~(rows.ended_s < due_s - SHARED_WITHIN_S)
        return beside

    def stood_still(self, start_s: float, end_s: float) -> bool:
        """Whether the beacon took longer than STOOD_STILL_S between two times."""
        return any(due_s <= end_s and ended_s >= start_s for due_s, ended_s in self._beacon_late(STOOD_STILL_S))

    def _beacon_late(self, longer_than_s: float) -> Iterator[tuple[float, float]]:
        """When the beacon was asked and took longer than this, from its due time: the generator stands still, too."""
        beacon = self.ledger.of("beacon")
        late = beacon.select(beacon.latency_s > longer_than_s)
        return zip(late.scheduled_s.tolist(), late.ended_s.tolist(), strict=True)


SHARED_WITHIN_S = 1.0
STOOD_STILL_S = 0.25  # a beacon that takes longer shows a machine that did; then, what came meanwhile comes at once
