"""Locust's master and workers as pods of a cluster, for one load; they are removed with it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from seatrial.clusters.base import Cluster
from seatrial.errors import ClusterError, SeatrialError
from seatrial.images import LOAD, own_recipes, take_in
from seatrial.loads.bundle import Bundle
from seatrial.loads.locust_run import worker_folder
from seatrial.loads.pod_process import PodProcess
from seatrial.loads.scenario import service
from seatrial.loads.workers import worker_options
from seatrial.traffic.channel import ExecChannel
from seatrial.trials.context import RUN_LABEL, Say
from seatrial.trials.pods import await_ready, namespace, spread
from seatrial.watch.api import Api
from seatrial.watch.exec import run_in_pod
from seatrial.watch.trouble import state_of

_MASTER = "master"
_MASTER_PORT = 5557
ROOT, _OUT = "/tmp/seatrial", "/tmp/seatrial/out"  # in the pods
_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()
except OSError as reason:
    print(reason.strerror or reason)
"""


@contextmanager
def load_pods(
    cluster: Cluster, workers: int, files: Bundle, environment: Mapping[str, str], folder: Path, say: Say
) -> Iterator[LoadPods]:
    """Pods for a load, on a cluster that is brought up if it is not, once their image is there.

    `files` are to be below ROOT, `environment` is what Locust gets beside that of the image.
    """
    cluster.up()
    try:
        take_in(cluster, [LOAD], own_recipes())
        api = Api.connect(cluster.kubeconfig(), cluster.context)
        with LoadPods(cluster, api, workers, files, environment, folder, say) as pods:
            yield pods
    finally:
        cluster.down()


class LoadPods:
    """Use as a context; its namespace is deleted on the way out. A site for `seatrial.loads.workers`.

    `folder` is where the run's records are kept on this machine. Raises ClusterError when pods are not Ready, and
    InputError for an image that cannot be pulled.
    """

    def __init__(
        self,
        cluster: Cluster,
        api: Api,
        workers: int,
        files: Bundle,
        environment: Mapping[str, str],
        folder: Path,
        say: Say,
    ) -> None:
        self._cluster, self._api, self._folder, self._say = cluster, api, folder, say
        self._run_id = f"load-{secrets.token_hex(2)}"
        self.namespace = f"seatrial-{self._run_id}"
        self._names = [_MASTER, *(f"worker-{number}" for number in range(1, workers + 1))]
        self._bundle, self._environment = files, dict(environment)
        self._addresses: dict[str, str] = {}

    def __enter__(self) -> LoadPods:
        image = self._cluster.pod_image(LOAD)
        self._api.create("/api/v1/namespaces", namespace(self.namespace, RUN_LABEL, self._run_id))
        try:
            for name in self._names:
                app, cpu = ("master", "100m") if name == _MASTER else ("worker", "500m")
                self._api.create(f"/api/v1/namespaces/{self.namespace}/pods", spread(image, name, app, cpu))
            self._addresses = await_ready(self._api, self.namespace, self._names, image)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def refuse_unreachable(self, host: str) -> None:
        """Raises ClusterError when nobody listens there, as the pods see it."""
        target = service(host)
        connect = ["python", "-c", _CONNECT, target.host, str(target.port)]
        if said := run_in_pod(self._cluster, self.namespace, _MASTER, _MASTER, connect).strip():
            raise ClusterError(
                f"{host}: expected a service that accepts connections from pods of the cluster, found {said}; "
                "start it, or correct --host: http://SERVICE.NAMESPACE:PORT"
            )

    def master(self, *options: str) -> PodProcess:
        bound = ("--master-bind-host", "*", "--master-bind-port", str(_MASTER_PORT))
        return self._started(_MASTER, self._folder, _OUT, ["--master", *bound, *options])

    def worker(self, number: int, port: int) -> PodProcess:
        options = worker_options(number, self._addresses[_MASTER], port)
        here, there = (worker_folder(Path(out), number) for out in (self._folder, _OUT))
        return self._started(f"worker-{number}", here, str(there), options)

    def _started(self, name: str, here: Path, there: str, options: Sequence[str]) -> PodProcess:
        app = _MASTER if name == _MASTER else "worker"
        channel = ExecChannel(
            self._cluster.kubeconfig(),
            self._cluster.context,
            self.namespace,
            name,
            app,
            module="seatrial.loads.relay",
        )
        start = {
            "locust_file": self._bundle.locust_file,
            "scenario": self._bundle.scenario,
            "folder": there,
            "out": _OUT,
            "options": list(options),
            "environment": self._environment,
        }
        where = f"pod {self.namespace}/{name}"
        return PodProcess(channel, where, here, self._bundle.files, start, lambda: self._state(name))

    def _state(self, name: str) -> str:
        """What became of a pod; "" where nothing did."""
        try:
            found = self._api.find(f"/api/v1/namespaces/{self.namespace}/pods/{name}")
        except ClusterError as unknown:
            return str(unknown)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return "the pod was deleted"
        return state_of(found)

    def _remove(self) -> None:
        try:
            self._api.delete(f"/api/v1/namespaces/{self.namespace}")
        except SeatrialError as refusal:
            # Said, not raised: it would hide what went wrong first, or throw away what was measured.
            self._say(f"namespace {self.namespace} may be left, `seatrial clean` deletes it: {refusal}")
