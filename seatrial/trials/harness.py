"""What every run has beside its subject: the beacon, and on real clusters a pod for the generators."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from seatrial.clock import RunClock
from seatrial.clusters.base import Cluster
from seatrial.errors import ClusterError
from seatrial.images import AGENT
from seatrial.traffic.channel import Channel, ExecChannel, ProcessChannel
from seatrial.traffic.generator import Generator
from seatrial.trials.world import RUN_LABEL
from seatrial.watch.api import Api
from seatrial.watch.pods import is_ready

UP_WITHIN_S = 90.0
BEACON_PORT = 8080


class Harness:
    """Use as a context; its namespace is deleted on the way out."""

    def __init__(self, cluster: Cluster, api: Api, clock: RunClock, run_id: str) -> None:
        self._cluster = cluster
        self._api = api
        self._clock = clock
        self._run_id = run_id
        self.namespace = f"seatrial-{run_id}-harness"
        self._in_pod = False

    def __enter__(self) -> Harness:
        self._api.create(
            "/api/v1/namespaces",
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": self.namespace, "labels": {RUN_LABEL: self._run_id}},
            },
        )
        root = f"/api/v1/namespaces/{self.namespace}"
        self._api.create(f"{root}/services", _beacon_service())
        self._api.create(f"{root}/pods", _pod("beacon", ["python", "-m", "seatrial.traffic.beacon"]))
        self._in_pod = self._cluster.address(self.namespace, "beacon", BEACON_PORT).generator == "pod"
        if self._in_pod:
            self._api.create(f"{root}/pods", _pod("generator", None))
        self._await_ready(["beacon", *(["generator"] if self._in_pod else [])])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api.delete(f"/api/v1/namespaces/{self.namespace}")

    def open_generator(self) -> Generator:
        """A generator of the caller's own: a process here, or one in the generator pod."""
        channel: Channel = ProcessChannel()
        if self._in_pod:
            channel = ExecChannel(self._cluster.kubeconfig(), self._cluster.context, self.namespace, "generator")
        return Generator(channel, self._clock.origin_s)

    def _await_ready(self, names: list[str]) -> None:
        deadline = time.monotonic() + UP_WITHIN_S
        for name in names:
            while not is_ready(pod := self._api.get(f"/api/v1/namespaces/{self.namespace}/pods/{name}")):
                if time.monotonic() > deadline:
                    raise ClusterError(
                        f"{self.namespace}/{name}: expected it Ready within {UP_WITHIN_S:.0f} s, found "
                        f"{_trouble(pod)}; is image {AGENT} on the nodes?"
                    )
                time.sleep(0.2)


def _trouble(pod: dict[str, Any]) -> str:
    status = pod.get("status", {})
    for container in status.get("containerStatuses", ()):
        if waiting := container.get("state", {}).get("waiting"):
            return f"{waiting.get('reason')}: {waiting.get('message', '')}"
    return f"phase {status.get('phase')}"


def _beacon_service() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "beacon"},
        "spec": {
            "selector": {"app": "beacon"},
            "ports": [{"name": "http", "port": BEACON_PORT, "targetPort": BEACON_PORT}],
        },
    }


def _pod(name: str, command: list[str] | None) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": name,
        "image": AGENT,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "500m" if name == "generator" else "50m", "memory": "64Mi"}},
    }
    if command:
        container["command"] = command
        container["ports"] = [{"name": "http", "containerPort": BEACON_PORT}]
        container["readinessProbe"] = {"tcpSocket": {"port": BEACON_PORT}, "periodSeconds": 1}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
