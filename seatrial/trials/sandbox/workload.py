"""One workload of a sandbox: its pods and its Service, and never the other pods of the namespace."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from seatrial.contract import DeclaredWorkload
from seatrial.contract.services import target_port
from seatrial.errors import ClusterError, InputError
from seatrial.observation import Change, Pod, Workload
from seatrial.traffic.plan import PodTarget, Target
from seatrial.trials.context import TrialContext, WorkloadNotFound
from seatrial.trials.sandbox.reach import reach
from seatrial.watch.api import ApiRefused
from seatrial.watch.exec import run_in_pod
from seatrial.watch.ownership import bystanders, pods_of
from seatrial.watch.pods import gone_at_s, latest, living, ready_pods
from seatrial.watch.trouble import trouble
from seatrial.watch.watcher import Watcher

PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets"}
TOO_MANY_REQUESTS = 429  # what the Eviction API answers where a budget does not allow it


@dataclass(frozen=True, slots=True)
class Eviction:
    """A pod asked to go by the Eviction API; `refused` is the server's word where a budget forbids it, "" else."""

    pod: str
    at_s: float
    refused: str = ""


class DeployedWorkload:
    """A workload of the contract, by its name there."""

    def __init__(self, context: TrialContext, namespace: str, watch: Watcher, name: str) -> None:
        self.name = name
        self.declared: DeclaredWorkload = context.contract.on_trial[name]
        self.identity: Workload = context.workloads[name]
        self._context = context
        self._namespace = namespace
        self._watch = watch

    # pods

    def pods(self) -> tuple[Pod, ...]:
        """Those that are Ready and not on their way out, oldest first."""
        return ready_pods(self._watch.changes(), self.identity)

    def wait_pods(self, count: int, timeout_s: float) -> tuple[Pod, ...]:
        """Wait for exactly `count` Ready pods.

        Raises ClusterError after timeout_s; WorkloadNotFound where a selector matched nothing until then, or where
        the container that the contract names is not in the pods.
        """
        if not self._watch.wait(lambda changes: len(ready_pods(changes, self.identity)) == count, timeout_s):
            changes = self._watch.changes()
            self._refuse_what_matches_nothing(changes)
            why = [trouble(changes, self._watch.logs())]
            if self.identity.selector and not self.declared.replicas:
                why.append(
                    f"this trial wants {count}, and no Helm value says how many: name one in {self._key('replicas')}"
                )
            raise ClusterError(
                f"{self._namespace}: expected {count} Ready pods of {self.identity} within {timeout_s:.0f} s, "
                f"found {'; '.join([str(len(self.pods())), *filter(None, why)])}"
            )
        for pod in self.pods():
            self._refuse_another_container(pod.spec)
        return self.pods()

    def wait_replaced(self, before: Sequence[Pod], timeout_s: float) -> bool:
        """Whether none of these pods was left, but for those on their way out, within timeout_s.

        They are told by their uid: a StatefulSet's pods have the names of those before them.
        """
        old = {pod.uid for pod in before}
        return self._watch.wait(
            lambda changes: old.isdisjoint(item["metadata"]["uid"] for item in living(changes, self.identity).values()),
            timeout_s,
        )

    def wait_gone(self, pod: Pod, timeout_s: float) -> float | None:
        """When the pod's object was gone; None if it was still there after timeout_s."""
        self._watch.wait(lambda changes: gone_at_s(changes, pod) is not None, timeout_s)
        return gone_at_s(self._watch.changes(), pod)

    def delete(self, pod: Pod) -> float:
        """Delete a pod by the API; when the call was made."""
        at_s = self._context.clock.now()
        self._context.api.delete(f"/api/v1/namespaces/{self._namespace}/pods/{pod.name}")
        return at_s

    def evict(self, pod: Pod) -> Eviction:
        """Ask for a pod to go as a node's drain does, which a PodDisruptionBudget may refuse.

        Source: Kubernetes, "API-initiated Eviction".
        """
        at_s = self._context.clock.now()
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod.name}}
        try:
            self._context.api.create(f"/api/v1/namespaces/{self._namespace}/pods/{pod.name}/eviction", body)
        except ApiRefused as refused:
            if refused.status != TOO_MANY_REQUESTS:
                raise
            return Eviction(pod.name, at_s, refused.said)
        return Eviction(pod.name, at_s)

    def exec(self, pod: Pod, command: Sequence[str]) -> str:
        """Run a command in the serving container; its output. Raises ClusterError when it cannot be run."""
        container = self.declared.container or str(pod.spec["containers"][0]["name"])
        return run_in_pod(self._context.cluster, self._namespace, pod.name, container, command)

    # the object

    def scale(self, replicas: int) -> None:
        """Set its replicas by its scale subresource."""
        self._context.api.patch(f"{self._path}/scale", {"spec": {"replicas": replicas}})

    def restart(self) -> float:
        """Replace all its pods as `kubectl rollout restart` does; when the call was made. It does not wait."""
        at_s = self._context.clock.now()
        stamp = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat(timespec="microseconds")}
        self._context.api.patch(self._path, {"spec": {"template": {"metadata": {"annotations": stamp}}}})
        return at_s

    def wait_rolled_out(self, timeout_s: float) -> bool:
        """Whether every replica came to be of the present template and available, and none of another was left.

        Asked is the object of now: call it after the change that it is to wait for.
        Source: Kubernetes, "Deployments", complete Deployment.
        """
        generation = int(self._context.api.get(self._path)["metadata"]["generation"])
        kind, name = self.identity.kind, self.identity.name
        return self._watch.wait(
            lambda changes: name in (items := latest(changes, kind)) and is_rolled_out(items[name], generation),
            timeout_s,
        )

    @property
    def _path(self) -> str:
        kind, name = self.identity.kind, self.identity.name
        if self.identity.selector:
            raise InputError(
                f"{self._context.contract_file}, workloads.{self.name}: expected a Deployment or StatefulSet for this "
                f"trial, found {self.identity}, which nothing here can scale or restart; name what makes them"
            )
        return f"/apis/apps/v1/namespaces/{self._namespace}/{PLURALS[kind]}/{name}"

    # where it is reached

    def service(self) -> Target:
        """Its Service, as the generator reaches it."""
        address = self._context.cluster.address(self._namespace, self.identity.service, self.declared.port)
        return reach(self._context, address)

    def target(self, pod: Pod) -> PodTarget:
        """A pod's own address, at the port to which its Service leads.

        Raises WorkloadNotFound where it leads nowhere.
        """
        try:
            return PodTarget(pod.name, pod.ip, target_port(self._service, self.declared.port, pod.spec))
        except InputError as refused:
            raise WorkloadNotFound(f"{self._context.contract_file}, {self._key('port')}: {refused}") from None

    @functools.cached_property
    def _service(self) -> Mapping[str, Any]:
        path = f"/api/v1/namespaces/{self._namespace}/services/{self.identity.service}"
        found: Mapping[str, Any] = self._context.api.get(path)
        return found

    def _key(self, name: str) -> str:
        """A key of this workload in the contract."""
        return f"workloads.{self.name}.{name}" if self.name else name

    def _refuse_what_matches_nothing(self, changes: Sequence[Change]) -> None:
        if not self.identity.selector or pods_of(changes, self.identity):
            return
        others = ", ".join(
            sorted(f"{name} ({owner or 'no owner'})" for name, owner in bystanders(changes, self.identity).items())
        )
        raise WorkloadNotFound(
            f"{self._context.contract_file}, workloads.{self.name}.selector: expected {self.identity}, found none of "
            f"them among the pods there were: {others or 'none at all'}; correct the labels"
        )

    def _refuse_another_container(self, spec: Mapping[str, Any]) -> None:
        names = [container["name"] for container in spec["containers"]]
        if self.declared.container and self.declared.container not in names:
            raise WorkloadNotFound(
                f"{self._context.contract_file}, {self._key('container')}: expected one of {', '.join(names)}, "
                f"found {self.declared.container}; name the server's"
            )


def is_rolled_out(item: Mapping[str, Any], generation: int) -> bool:
    """A Deployment or StatefulSet whose controller has seen this generation of it, and finished with it."""
    status, wanted = item.get("status") or {}, int(item["spec"].get("replicas", 1))
    return (
        int(status.get("observedGeneration", 0)) >= generation
        and int(status.get("updatedReplicas", 0)) == wanted
        and int(status.get("replicas", 0)) == wanted
        and int(status.get("availableReplicas", 0)) == wanted
    )
