"""A release in a namespace of its own, watched from before it was installed, with a generator beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from seatrial.contract.workloads import default_of
from seatrial.errors import ClusterError, SeatrialError
from seatrial.observation import Pod, Remains, Workload
from seatrial.traffic.plan import PodTarget
from seatrial.trials.context import RELEASE, RUN_LABEL, TrialContext
from seatrial.trials.limit import TrialStopped
from seatrial.trials.sandbox.dependencies import Dependencies
from seatrial.trials.sandbox.dependency import BroughtDependency
from seatrial.trials.sandbox.nodes import Nodes
from seatrial.trials.sandbox.release import Release
from seatrial.trials.sandbox.traffic import Traffic
from seatrial.trials.sandbox.workload import DeployedWorkload
from seatrial.watch.pods import all_pods
from seatrial.watch.watcher import Watcher, kinds_of

__all__ = ["RELEASE", "Sandbox"]


class Sandbox:
    """Use as a context: the namespace is made on entry and deleted on the way out, whatever happens.

    What the release depends on has to be there before it: it is brought up in `__enter__`, when the watch is open, in
    the sandbox's own namespace, and goes with it.
    """

    def __init__(self, context: TrialContext, name: str) -> None:
        self.context = context
        self.name = name
        self.namespace = f"seatrial-{context.run_id}-{name}"
        kinds = {*context.watches, *(workload.kind for workload in context.workloads.values() if workload.kind)}
        self.watch = Watcher(context.api, self.namespace, context.clock, kinds_of(kinds), context.limit.granted)
        self.release = Release(context, self.namespace, self.watch)
        self.traffic = Traffic(context, self.namespace, self._ready)
        self.nodes = Nodes(context)
        self._dependencies = Dependencies(context, self.namespace, self.watch.marks)
        self._workloads: dict[str, DeployedWorkload] = {}
        self._started_s = context.clock.now()
        self._noted: dict[str, Any] = {}

    def __enter__(self) -> Sandbox:
        self.context.api.create(
            "/api/v1/namespaces",
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": self.namespace, "labels": {RUN_LABEL: self.context.run_id}},
            },
        )
        try:
            self.watch.start()
            with self.context.limit.granted():
                self._dependencies.bring()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.nodes.open_again()
        if isinstance(error, TrialStopped) and not error.seen:
            self._gather(error)
        self.traffic.close()
        timeline = self.watch.stop()
        if isinstance(error, SeatrialError) and error.remains is None:
            error.remains = Remains(timeline, self.watch.logs())
        try:
            self.context.api.delete(f"/api/v1/namespaces/{self.namespace}")
        except ClusterError as refusal:
            # Said, not raised: it would hide what went wrong first, or throw away what was seen.
            self.context.say(f"namespace {self.namespace} may be left, `seatrial clean` deletes it: {refusal}")

    @property
    def subject(self) -> Workload:
        """What is under load, as the watch names it."""
        return self.context.subject

    def workload(self, name: str = "") -> DeployedWorkload:
        """One by its name in the contract; without a name, the one under load."""
        name = name or default_of(self.context.contract.on_trial)
        if name not in self._workloads:
            self._workloads[name] = DeployedWorkload(self.context, self.namespace, self.watch, name)
        return self._workloads[name]

    def _ready(self) -> list[PodTarget]:
        """Where the Ready pods under load are reached."""
        return [self.workload().target(pod) for pod in self.workload().pods()]

    def dependency(self, name: str) -> BroughtDependency:
        """One that Seatrial brought, by its name in the contract, with the gate before it."""
        return self._dependencies[name]

    def now(self) -> float:
        """The run's clock."""
        return self.context.clock.now()

    def sleep_until(self, at_s: float) -> None:
        """Wait for a moment of the run's clock, which the trial has planned."""
        self.context.limit.sleep(at_s - self.now())

    def note(self, **found: Any) -> None:
        """Keep fields of the observation, by their names, for the case that the trial is stopped before its end."""
        self._noted.update(found)

    def seen(self, pods: Sequence[Pod] = ()) -> dict[str, Any]:
        """What every observation keeps; call it last, inside the context."""
        self.traffic.finish()
        return self._common(pods)

    def _gather(self, stopped: TrialStopped) -> None:
        """What was seen until a trial was stopped; nothing where the cluster or the generator does not answer."""
        try:
            self.traffic.cut_short()
            stopped.seen = {**self._common(), **self._noted}
        except SeatrialError as failed:
            self.context.say(f"{self.namespace}: expected what was seen until it was stopped, found {failed}")

    def _common(self, pods: Sequence[Pod] = ()) -> dict[str, Any]:
        dependencies = self._dependencies.observed()
        time.sleep(0.3)  # for the watch and the logs to deliver what has happened
        changes = self.watch.changes()
        return {
            "trial": self.name,
            "namespace": self.namespace,
            "wall_origin_s": self.context.clock.wall_origin_s,
            "started_s": self._started_s,
            "ended_s": self.now(),
            "values": json.loads(json.dumps(self.release.values)),
            "ledger": self.traffic.ledger,
            "timeline": self.watch.stop(),
            "scrapes": self.traffic.scrapes,
            "logs": self.watch.logs(),
            "pods": tuple(pods) or all_pods(changes, self.subject),
            "generator": self.traffic.health(),
            "subject": self.subject,
            "marks": dict(self.watch.marks),
            "dependencies": dependencies,
        }
