"""The kubelet of the embedded cluster: runs the pods of the Store as processes of this machine."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any

from seatrial.clusters.local.kubelet import actions, scheduling
from seatrial.clusters.local.kubelet.addresses import Addresses
from seatrial.clusters.local.kubelet.changes import Changes
from seatrial.clusters.local.kubelet.container import Container
from seatrial.clusters.local.kubelet.events import Recorder
from seatrial.clusters.local.kubelet.execution import ExecResult, NotRunning, ReadStdin, nothing
from seatrial.clusters.local.kubelet.images import Images
from seatrial.clusters.local.kubelet.isolation import Isolation, probe
from seatrial.clusters.local.kubelet.logs import LogOptions
from seatrial.clusters.local.kubelet.metrics import WINDOW_S, Meter, PodMetrics
from seatrial.clusters.local.kubelet.node import DEFAULT_SCHEDULER, NODE_NAME, Capacity, node_object
from seatrial.clusters.local.kubelet.pod import PodWorker
from seatrial.clusters.local.kubelet.sandbox import ApiAccess, Context
from seatrial.clusters.local.kubelet.tasks import spawn
from seatrial.clusters.local.kubelet.volumes import claim_folder
from seatrial.clusters.local.store import Event, Store, timestamp
from seatrial.errors import ClusterError

Obj = dict[str, Any]

log = logging.getLogger(__name__)

WHOLE_LOG = LogOptions()


class Kubelet:
    """Registers one node, places pods on it and runs them.

    `root` holds volumes, logs and claims and belongs to this kubelet alone. `isolation` None: found by trying.
    """

    def __init__(
        self,
        store: Store,
        images: Images,
        root: Path,
        *,
        isolation: Isolation | None = None,
        capacity: Capacity | None = None,
    ) -> None:
        self._store, self._images, self._root = store, images, root
        self._capacity = capacity or Capacity.default()
        self._isolation = isolation
        self._workers: dict[str, PodWorker] = {}  # by uid
        self._tasks: list[asyncio.Task[None]] = []
        self._meter = Meter()
        self._metrics: list[PodMetrics] = []
        self._placing: asyncio.Handle | None = None
        self._naming: asyncio.Handle | None = None
        self._context: Context | None = None

    @property
    def isolation(self) -> str:
        """How containers are kept apart, for the run record; raises ClusterError before `start`."""
        return str(self._started.isolation)

    @property
    def _started(self) -> Context:
        if self._context is None:
            raise ClusterError("kubelet: expected it to be started, found that it is not; await start() first")
        return self._context

    async def start(self) -> None:
        """Find out what the machine allows, register the node, run what is in the Store from now on."""
        self._root.mkdir(parents=True, exist_ok=True)
        self._changes = Changes(self._store, self._changed)
        self._context = Context(
            store=self._store,
            images=self._images,
            folder=self._root.resolve(),
            isolation=self._isolation or await probe(),
            recorder=Recorder(self._store, NODE_NAME),
            changes=self._changes,
            http=actions.http_session(),
            addresses=Addresses(),
            node_name=NODE_NAME,
        )
        node = node_object(self._capacity)
        if self._store.find("nodes", None, NODE_NAME) is None:
            self._store.create("nodes", node)
        self._store.mutate(
            "nodes", None, NODE_NAME, lambda draft: draft.update(status=node["status"]), subresource="status"
        )
        self._pods = self._store.subscribe("pods", "nodes")
        for name, work in (("pods", self._follow()), ("changes", self._changes.run()), ("metrics", self._measure())):
            self._tasks.append(spawn(work, f"kubelet {name}"))

    def offer_api(self, access: ApiAccess) -> None:
        """Tell the pods that start from now on where the API server is, and give them a ServiceAccount's files."""
        self._started.api = access

    async def stop(self) -> None:
        """Kill every container and leave nothing running; harmless before `start`."""
        if self._context is None:
            return
        self._pods.close()
        self._changes.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for handle in (self._placing, self._naming):
            if handle is not None:
                handle.cancel()
        await asyncio.gather(*(worker.destroy() for worker in self._workers.values()))
        rmtree(self._context.folder / "pods", ignore_errors=True)  # Secrets lie there
        await self._context.http.close()

    # -- pods ---------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        async for event in self._pods:
            try:
                self._heed(event)
            except Exception:
                # One pod that cannot be handled must not stop the others.
                log.exception("pod_event_failed", extra={"object": event.object["metadata"]["name"]})

    def _heed(self, event: Event) -> None:
        obj = event.object
        if obj["kind"] == "Node":
            self._place_soon()
            return
        worker, phase = self._workers.get(obj["metadata"]["uid"]), (obj.get("status") or {}).get("phase")
        if event.type == "DELETED":
            self._place_soon()
            if worker is not None:
                worker.removed()
        elif worker is not None:
            worker.update(obj)
            if phase in ("Succeeded", "Failed"):
                self._place_soon()
        elif obj["spec"].get("nodeName") == NODE_NAME and phase not in ("Succeeded", "Failed"):
            self._workers[obj["metadata"]["uid"]] = worker = PodWorker(self._started, obj, self._gone)
            if "deletionTimestamp" in obj["metadata"]:
                worker.update(obj)
        elif event.type == "ADDED" and not obj["spec"].get("nodeName"):
            self._place(obj)

    def _gone(self, worker: PodWorker) -> None:
        self._workers.pop(worker.sandbox.uid, None)
        self._started.recorder.forget(worker.sandbox.pod)

    def _place_soon(self) -> None:
        """Room was made, or the node changed: look again at the pods that found no place."""
        if self._placing is None:
            self._placing = asyncio.get_running_loop().call_soon(self._place_all)

    def _place_all(self) -> None:
        self._placing = None
        for pod in self._store.list("pods"):
            if not pod["spec"].get("nodeName"):
                self._place(pod)

    def _place(self, pod: Obj) -> None:
        metadata, spec = pod["metadata"], pod["spec"]
        # Pods of another scheduler wait for it.
        is_another = spec.get("schedulerName", DEFAULT_SCHEDULER) != DEFAULT_SCHEDULER
        if "deletionTimestamp" in metadata or spec.get("schedulingGates") or is_another:
            return
        node = self._store.get("nodes", None, NODE_NAME)
        others = [
            other
            for other in self._store.list("pods")
            if other["spec"].get("nodeName") == NODE_NAME
            and (other.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        ]
        claims = {
            claim["metadata"]["name"] for claim in self._store.list("persistentvolumeclaims", metadata["namespace"])
        }
        why = scheduling.unschedulable(pod, node, others, claims)
        namespace, name = metadata["namespace"], metadata["name"]
        self._store.mutate("pods", namespace, name, lambda draft: _scheduled(draft, why), subresource="status")
        if why:
            self._started.recorder.not_scheduled(pod, why)
            return
        self._started.recorder.scheduled(pod, NODE_NAME)
        node = {"nodeName": NODE_NAME}
        self._store.mutate("pods", namespace, name, lambda draft: draft["spec"].update(node), subresource="binding")

    def _changed(self, event: Event) -> None:
        obj = event.object
        kind, namespace = obj["kind"], obj["metadata"].get("namespace")
        if kind in ("Service", "EndpointSlice"):
            if self._naming is None:
                self._naming = asyncio.get_running_loop().call_soon(self._name_services)
        elif kind == "PersistentVolumeClaim":
            self._place_soon()
            if event.type == "DELETED":
                rmtree(claim_folder(self._started.folder / "claims", obj), ignore_errors=True)
        else:
            for worker in self._workers.values():
                if worker.sandbox.namespace == namespace:
                    worker.sandbox.volumes.refresh(worker.sandbox.pod)

    def _name_services(self) -> None:
        self._naming = None
        for worker in self._workers.values():
            if worker.sandbox.ip:
                worker.sandbox.refresh_hosts()

    # -- what others ask for ------------------------------------------------------------------------------------

    def container(self, namespace: str, pod: str, name: str | None = None) -> Container:
        """A container of a pod on the node; by default the first. Raises ClusterError."""
        for worker in self._workers.values():
            if (worker.sandbox.namespace, worker.sandbox.name) == (namespace, pod):
                for container in [*worker.mains, *worker.inits]:
                    if name in (None, container.name):
                        return container
                names = ", ".join(one.name for one in worker.containers)
                raise ClusterError(f"pod {namespace}/{pod}: expected one of its containers ({names}), found {name!r}")
        raise ClusterError(f"pod {namespace}/{pod}: expected it to run on {NODE_NAME}, found no such pod")

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str | None = None,
        *,
        previous: bool = False,
        options: LogOptions = WHOLE_LOG,
    ) -> AsyncIterator[bytes]:
        """The log of a container, line by line, or of the run before. Raises ClusterError where there is none."""
        found = self.container(namespace, pod, container)
        wanted = 2 if previous else 1
        if len(found.logs) < wanted:
            kind = "previous terminated container" if previous else "container"
            raise ClusterError(
                f'{kind} "{found.name}" in pod "{pod}": expected a log, found none; its state is {found.record.state}'
            )
        async for line in found.logs[-wanted].read(options):
            yield line

    async def exec(
        self,
        namespace: str,
        pod: str,
        argv: Sequence[str],
        container: str | None = None,
        *,
        stdin: ReadStdin = nothing,
        timeout_s: float | None = None,
    ) -> ExecResult:
        """Run a command in a running container. Raises ClusterError, and TimeoutError after `timeout_s`."""
        found = self.container(namespace, pod, container)
        try:
            return await found.execute(argv, timeout_s, stdin)
        except NotRunning as error:
            raise ClusterError(f"pod {namespace}/{pod}: {error}") from None

    def pod_metrics(self) -> list[PodMetrics]:
        """Every pod measured over a whole window, as of the last sample."""
        return list(self._metrics)

    async def _measure(self) -> None:
        while True:
            self._metrics = self._meter.sample([worker.processes() for worker in self._workers.values()])
            await asyncio.sleep(WINDOW_S)


def _scheduled(pod: Obj, why: str) -> None:
    """The condition PodScheduled; `why` not, or empty."""
    status = pod.setdefault("status", {})
    condition: Obj = {"type": "PodScheduled", "status": "False" if why else "True"}
    if why:
        condition |= {"reason": "Unschedulable", "message": why}
    conditions = [other for other in status.get("conditions") or () if other["type"] != "PodScheduled"]
    before = next((one for one in status.get("conditions") or () if one["type"] == "PodScheduled"), None)
    since = before["lastTransitionTime"] if before and before["status"] == condition["status"] else timestamp()
    status["conditions"] = [*conditions, {**condition, "lastProbeTime": None, "lastTransitionTime": since}]
    status.setdefault("phase", "Pending")
