"""Polls every container start of a sandbox: readiness from the first moment, and cases at its first 2xx.

Where the readiness probe is no HTTP probe, or not all that the pod waits for, there is nothing to poll: cases follow
when the pod's status says Ready. A case now and then follows those, for as long as the sandbox is watched: what is
ready has to stay so.

Source: Kubernetes, "Pod Lifecycle": Ready means that the pod is able to serve requests.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from seatrial.observation import Change, Pod
from seatrial.traffic.fleet import FleetRun
from seatrial.traffic.plan import Load, OpenLoop, PodTarget, Poll
from seatrial.trials import workload
from seatrial.trials.ablation import Ablation, without
from seatrial.trials.sandbox import Sandbox
from seatrial.watch.ownership import pods_of
from seatrial.watch.pods import is_ready

POLL_PERIOD_S = 0.05
CASES, CASE_PERIOD_S = 20, 0.1
LATER_PERIOD_S, LATER_FOR_S = 0.7, 1800.0  # longer than any sandbox; stopped with it
POLLED, AT_FIRST_2XX, AT_READY, LATER = "start-poll", "start-cases", "ready-cases", "later-cases"


def _polls_only(loads: list[Load]) -> list[Load]:
    kept = without(AT_READY, LATER)(loads)
    return [replace(load, cases_count=0) if isinstance(load, Poll) else load for load in kept]


NO_CASES = Ablation("no case is sent at readiness", _polls_only)


@dataclass(frozen=True, slots=True)
class Start:
    """One container start; `index` is the group of its rows in the ledger."""

    index: int
    pod: str
    restart: int  # the container's restart count: 0 for the pod's first life
    seen_s: float
    ready_s: float | None
    polled: bool = True  # False: no HTTP probe decides alone whether it is Ready, and only the pod's status tells
    unready: int = 0  # changes of the status in which it ran and was not ready yet


class StartPoller:
    """Watches for container starts from its making on; `done` tells what it saw.

    A start is a change of the container's id while it runs. The poll goes to the pod's own address, and so do as many
    `cases` at the first 2xx, and again when the pod is Ready, and then one each LATER_PERIOD_S: not more often, for a
    service may do what it does only while it has nothing to do.
    """

    def __init__(self, sandbox: Sandbox, cases: int) -> None:
        self._sandbox = sandbox
        self._cases = cases
        self._contract = sandbox.context.contract
        self._lives: dict[tuple[str, str], Start] = {}
        self._last: dict[str, tuple[str, str]] = {}
        self._unclaimed: dict[str, Change] = {}
        self._runs: dict[int, FleetRun] = {}
        self._later: dict[str, FleetRun] = {}  # of each pod's present life
        self._changes: queue.SimpleQueue[Change | None] = queue.SimpleQueue()
        self._broken: Exception | None = None
        _ = sandbox.traffic.generator  # made before the first start, for a start does not wait
        sandbox.watch.listen(self._changes.put)
        self._thread = threading.Thread(target=self._work, name="start-poller", daemon=True)
        self._thread.start()

    def done(self) -> tuple[Start, ...]:
        """End the polls; every start seen, in order."""
        self._changes.put(None)
        self._thread.join()
        for run in (*self._runs.values(), *self._later.values()):
            run.stop()
        if self._broken:
            raise self._broken
        return tuple(sorted(self._lives.values(), key=lambda start: start.index))

    def leave(self, pod: Pod) -> None:
        """Send a pod no more cases of its present life, and wait for the answers to those it has."""
        if run := self._later.pop(pod.name, None):
            run.stop()
            self._sandbox.traffic.collect(run)

    def _work(self) -> None:
        try:
            while (change := self._changes.get()) is not None:
                for known in self._of_the_subject(change):
                    self._see(known)
        except Exception as broken:  # noqa: BLE001 - handed to the trial's own thread by `done`
            self._broken = broken

    def _of_the_subject(self, change: Change) -> list[Change]:
        """What may be looked at now: a pod's own watch may be ahead of the one that tells who owns it."""
        if change.kind == "Pod" and change.type != "DELETED":
            self._unclaimed[change.name] = change
        elif change.kind != "ReplicaSet":
            return []
        own = pods_of(self._sandbox.watch.changes(), self._sandbox.subject)
        return [self._unclaimed.pop(name) for name in list(self._unclaimed) if name in own]

    def _see(self, change: Change) -> None:
        pod = change.object
        status = pod.get("status", {})
        serving = self._contract.subject.container or pod["spec"]["containers"][0]["name"]
        for container in status.get("containerStatuses", ()):
            if container["name"] != serving:
                continue
            life = (change.name, container.get("containerID", ""))
            running = "running" in container.get("state", {})
            if running and status.get("podIP") and life not in self._lives:
                self._begin(life, change, container["restartCount"])
            start = self._lives.get(life)
            if start and start.ready_s is None and container["ready"] and is_ready(pod):
                self._lives[life] = replace(start, ready_s=change.at_s)
                self._at_ready(start, change)
            elif start and start.ready_s is None and running:
                self._lives[life] = replace(start, unready=start.unready + 1)

    def _begin(self, life: tuple[str, str], change: Change, restart: int) -> None:
        index = len(self._lives)
        spec = change.object["spec"]
        probe = workload.deciding_readiness(spec, self._contract.subject.container)
        self._lives[life] = Start(index, change.name, restart, change.at_s, None, polled=probe is not None)
        if before := self._last.get(change.name):
            self._stop(self._lives[before])
        self._last[change.name] = life
        if probe is None:
            return
        pod = pod_of(change)
        target = probe.target(pod)
        same_port = target == self._sandbox.workload().target(pod)
        asked = probe.exchange("readiness", self._sandbox.context.probe_agent)
        self._runs[index] = self._sandbox.traffic.start_now(
            Poll(
                POLLED,
                target,
                (asked, *(workload.cases(self._contract) if same_port else ())),
                start_s=0.0,
                end_s=self._contract.ready_within_s + 5,
                period_s=POLL_PERIOD_S,
                timeout_s=probe.timeout_s,
                group=index,
                cases_load=AT_FIRST_2XX,
                cases_count=self._cases if same_port else 0,
                cases_period_s=CASE_PERIOD_S,
            )
        )

    def _stop(self, start: Start) -> None:
        """End what is sent to a life that is over; without an HTTP probe it has no polls."""
        for run in (self._runs.pop(start.index, None), self._later.pop(start.pod, None)):
            if run:
                run.stop()

    def _at_ready(self, start: Start, change: Change) -> None:
        target = self._sandbox.workload().target(pod_of(change))
        first_s = [n * CASE_PERIOD_S for n in range(self._cases)]
        self._runs[-1 - start.index] = self._cases_at(AT_READY, target, start, first_s)
        begin_s = self._cases * CASE_PERIOD_S + LATER_PERIOD_S
        later_s = workload.steps(begin_s, begin_s + LATER_FOR_S, LATER_PERIOD_S)
        self._later[start.pod] = self._cases_at(LATER, target, start, later_s)

    def _cases_at(self, name: str, target: PodTarget, start: Start, arrivals_s: Sequence[float]) -> FleetRun:
        cases, count = workload.cases(self._contract), len(arrivals_s)
        picks = workload.in_turn(count, len(cases))
        return self._sandbox.traffic.start_now(OpenLoop(name, target, cases, arrivals_s, picks, [start.index] * count))


def pod_of(change: Change) -> Pod:
    """The pod as the change has it."""
    item = change.object
    return Pod(
        change.name, item["status"]["podIP"], item["spec"].get("nodeName", ""), item["metadata"]["uid"], item["spec"]
    )
