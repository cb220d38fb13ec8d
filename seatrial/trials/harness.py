"""What every run has beside its subject: the beacon, and on real clusters pods for the generators, on two nodes."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from seatrial.clock import RunClock
from seatrial.clusters.base import Cluster
from seatrial.errors import ClusterError, SeatrialError
from seatrial.images import AGENT
from seatrial.traffic.channel import Channel, ExecChannel, ProcessChannel
from seatrial.traffic.fleet import Fleet
from seatrial.traffic.generator import Generator
from seatrial.trials.context import RUN_LABEL, Say
from seatrial.trials.pods import await_ready, namespace, pod, spread
from seatrial.watch.api import Api

BEACON_PORT = 8080
MOST_GENERATORS = 2


class Harness:
    """Use as a context; its namespace is deleted on the way out."""

    def __init__(self, cluster: Cluster, api: Api, clock: RunClock, run_id: str, say: Say) -> None:
        self._cluster = cluster
        self._api = api
        self._clock = clock
        self._run_id = run_id
        self._say = say
        self.namespace = f"seatrial-{run_id}-harness"
        self._pods: list[str] = []  # of the generators; none where they are processes of this machine

    def __enter__(self) -> Harness:
        self._api.create("/api/v1/namespaces", namespace(self.namespace, RUN_LABEL, self._run_id))
        root = f"/api/v1/namespaces/{self.namespace}"
        image = self._cluster.pod_image(AGENT)
        self._api.create(f"{root}/services", _beacon_service())
        self._api.create(f"{root}/pods", _beacon(image))
        if self._cluster.address(self.namespace, "beacon", BEACON_PORT).generator == "pod":
            self._pods = [f"generator-{n}" for n in range(min(MOST_GENERATORS, self._nodes()))]
        for name in self._pods:
            self._api.create(f"{root}/pods", spread(image, name, "generator", "500m"))
        await_ready(self._api, self.namespace, ["beacon", *self._pods], image)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._api.delete(f"/api/v1/namespaces/{self.namespace}")
        except SeatrialError as refusal:
            # Said, not raised: it would hide what went wrong first, or throw away what was judged.
            self._say(f"namespace {self.namespace} may be left, `seatrial clean` deletes it: {refusal}")

    def open_generator(self) -> Fleet:
        """Generators of the caller's own: a process here, or one in each of the generators' pods."""
        kubeconfig = self._cluster.kubeconfig()
        channels: list[Channel] = [
            ExecChannel(kubeconfig, self._cluster.context, self.namespace, pod) for pod in self._pods
        ]
        return Fleet([Generator(channel, self._clock.origin_s) for channel in channels or [ProcessChannel()]])

    def _nodes(self) -> int:
        """How many nodes take a pod that tolerates nothing; 1 where the nodes may not be listed."""
        try:
            nodes = self._api.get("/api/v1/nodes")["items"]
        except ClusterError:
            return 1
        return max(1, sum(_takes_pods(node["spec"]) for node in nodes))


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


def _takes_pods(spec: dict[str, Any]) -> bool:
    barred = any(taint["effect"] in ("NoSchedule", "NoExecute") for taint in spec.get("taints", ()))
    return not barred and not spec.get("unschedulable", False)


def _beacon(image: str) -> dict[str, Any]:
    served = {
        "command": ["python", "-m", "seatrial.traffic.beacon"],
        "ports": [{"name": "http", "containerPort": BEACON_PORT}],
        "readinessProbe": {"tcpSocket": {"port": BEACON_PORT}, "periodSeconds": 1},
    }
    return pod(image, "beacon", "beacon", "50m", served)
