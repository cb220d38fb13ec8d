"""One pod of the node, from its volumes to the last status.

Source: kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/ and .../init-containers/, .../sidecar-containers/.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from seatrial.clusters.local.kubelet import status
from seatrial.clusters.local.kubelet.container import Container
from seatrial.clusters.local.kubelet.metrics import PodProcesses
from seatrial.clusters.local.kubelet.payload import NotReady
from seatrial.clusters.local.kubelet.sandbox import Context, Sandbox
from seatrial.clusters.local.kubelet.tasks import spawn
from seatrial.clusters.local.store import timestamp

Obj = dict[str, Any]

# A pod removed by force has no grace period left to count; the kubelet gives it this.
FORCED_GRACE_S = 1


class PodWorker:
    """Runs one pod. `gone` is called when nothing of it is left on the node."""

    def __init__(self, context: Context, pod: Obj, gone: Callable[["PodWorker"], None]) -> None:
        self.sandbox = Sandbox(context, pod)
        self._context, self._gone = context, gone
        spec = pod["spec"]
        self.inits = [Container(self.sandbox, one, self.publish, init=True) for one in spec.get("initContainers") or ()]
        self.mains = [Container(self.sandbox, one, self.publish) for one in spec["containers"]]
        self._policy: str = spec.get("restartPolicy", "Always")
        self._started_at = timestamp()
        self._ended = False
        self._why: Obj = {}  # reason and message of a pod that was ended by the node
        self._grace_s: int | None = None  # of the stop that is under way
        self._living = spawn(self._live(), f"pod {self.sandbox.name}")
        self._stopping: asyncio.Task[None] | None = None

    @property
    def containers(self) -> list[Container]:
        return [*self.inits, *self.mains]

    @property
    def _grace_period_s(self) -> int:
        return int(self.sandbox.pod["spec"].get("terminationGracePeriodSeconds", 30))

    @property
    def _sidecars(self) -> list[Container]:
        return [init for init in self.inits if init.record.sidecar]

    def processes(self) -> PodProcesses:
        """What runs of it, for the metrics."""
        running = {one.name: one.process for one in self.containers if one.process is not None and one.process.running}
        return PodProcesses(self.sandbox.namespace, self.sandbox.name, running)

    # -- what the API server tells ------------------------------------------------------------------------------

    def update(self, pod: Obj) -> None:
        """A new version of the pod; a deletion stops it, a shorter grace period hastens that."""
        self.sandbox.pod = pod
        metadata = pod["metadata"]
        if "deletionTimestamp" in metadata:
            self._stop_within(metadata.get("deletionGracePeriodSeconds", 30))
        else:
            self.sandbox.volumes.refresh(pod)

    def removed(self) -> None:
        """The object is gone; so shall be the containers."""
        self._stop_within(FORCED_GRACE_S)

    def _stop_within(self, grace_s: int) -> None:
        if self._grace_s is not None and self._grace_s <= grace_s:
            return
        self._grace_s = grace_s
        before = self._stopping
        self._stopping = spawn(self._stop(grace_s, before), f"stop pod {self.sandbox.name}")

    # -- its life -----------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        deadline_s = self.sandbox.pod["spec"].get("activeDeadlineSeconds")
        try:
            async with asyncio.timeout(deadline_s):
                await self._set_up()
                await self._run_containers()
        except TimeoutError:
            message = "Pod was active on the node longer than the specified deadline"
            self._why = {"reason": "DeadlineExceeded", "message": message}
            self._context.recorder.normal(self.sandbox.pod, "DeadlineExceeded", message)
            await self._stop_containers(self._grace_period_s)
        except Exception as defect:
            message = f"the local cluster failed, this is not the pod's fault: {defect!r}"
            self._context.recorder.warning(self.sandbox.pod, "FailedCreatePodSandBox", message)
            raise
        self._ended = True
        self.publish()

    async def _set_up(self) -> None:
        if not self.sandbox.ip:
            self.publish()
        while True:
            changed = asyncio.ensure_future(
                self._context.changes.wait(self.sandbox.namespace, ("configmaps", "secrets", "persistentvolumeclaims"))
            )
            await asyncio.sleep(0)
            try:
                self.sandbox.volumes.set_up(self.sandbox.pod)
                break
            except NotReady as error:
                self._context.recorder.warning(self.sandbox.pod, "FailedMount", str(error))
                await changed
            finally:
                changed.cancel()
        self.sandbox.set_up()
        for container in self.mains:
            if self.inits:
                container.record.state = status.waiting("PodInitializing")
        self.publish()

    async def _run_containers(self) -> None:
        """Init containers one after the other, then all others together, then the end of the sidecars."""
        sidecars: list[asyncio.Task[int]] = []
        try:
            for init in self.inits:
                if init.record.sidecar:
                    sidecars.append(spawn(init.run(lambda _: True), f"sidecar {init.name}"))
                    await init.started.wait()
                elif await init.run(lambda code: code != 0 and self._policy != "Never"):
                    return
            await self._run_mains()
        finally:
            for task in sidecars:
                task.cancel()
            await asyncio.gather(*sidecars, return_exceptions=True)
        await self._stop_containers(self._grace_period_s)

    async def _run_mains(self) -> None:
        async with asyncio.TaskGroup() as group:
            for main in self.mains:
                group.create_task(main.run(self._restarts), name=f"container {main.name}")
                # The next one waits for a postStart hook, but not for readiness.
                await main.attempted.wait()

    def _restarts(self, exit_code: int) -> bool:
        return self._policy == "Always" or (self._policy == "OnFailure" and exit_code != 0)

    # -- its end ------------------------------------------------------------------------------------------------

    async def _stop(self, grace_s: int, before: asyncio.Task[None] | None) -> None:
        for task in (self._living, before):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait({task})
        await self._stop_containers(grace_s)
        self._ended = True
        self.publish()
        self.sandbox.tear_down()
        self._gone(self)
        current = self._context.store.find("pods", self.sandbox.namespace, self.sandbox.name)
        if current is not None and current["metadata"]["uid"] == self.sandbox.uid:
            self._context.store.remove("pods", self.sandbox.namespace, self.sandbox.name)

    async def _stop_containers(self, grace_s: int) -> None:
        """All at once, but a sidecar only after the main containers and the sidecars that came after it."""
        async with asyncio.TaskGroup() as group:
            before: list[Container] = list(self.mains)
            for container in [*self.mains, *(init for init in self.inits if not init.record.sidecar)]:
                group.create_task(container.stop(grace_s))
            for sidecar in reversed(self._sidecars):
                group.create_task(sidecar.stop(grace_s, _after(list(before))))
                before.append(sidecar)

    async def destroy(self) -> None:
        """Everything ends at once, without a word to the API server."""
        for task in (self._living, self._stopping):
            if task is not None:
                task.cancel()
        await asyncio.gather(*(container.destroy() for container in self.containers))

    # -- its status ---------------------------------------------------------------------------------------------

    def publish(self) -> None:
        """Write the status; while the pod is not ready, a change is also a reason to look at readiness again."""
        before = self.sandbox.pod.get("status")
        written = self._context.store.mutate(
            "pods", self.sandbox.namespace, self.sandbox.name, self._write_status, subresource="status"
        )
        if written is None or written["metadata"]["uid"] != self.sandbox.uid:
            return
        self.sandbox.pod = written
        if written.get("status") != before:
            for container in self.containers:
                container.probe_readiness_now()

    def _write_status(self, pod: Obj) -> None:
        if pod["metadata"]["uid"] != self.sandbox.uid:
            return  # another pod of this name
        inits, mains = [one.record for one in self.inits], [one.record for one in self.mains]
        old = pod.get("status") or {}
        phase = status.phase(self._policy, inits, mains, self._ended)
        if self._why and self._ended:
            phase = "Failed"
        conditions = status.conditions(
            pod, phase, inits, mains, has_sandbox=bool(self.sandbox.ip) and phase not in ("Succeeded", "Failed")
        )
        new = {
            "phase": phase,
            "observedGeneration": pod["metadata"].get("generation", 1),
            "conditions": status.with_times(conditions, old.get("conditions") or (), timestamp()),
            "hostIP": "127.0.0.1",
            "hostIPs": [{"ip": "127.0.0.1"}],
            "startTime": old.get("startTime", self._started_at),
            "qosClass": old.get("qosClass") or status.qos_class(pod),
            "containerStatuses": [one.status() for one in mains],
        }
        if inits:
            new["initContainerStatuses"] = [one.status() for one in inits]
        if self.sandbox.ip:
            new |= {"podIP": self.sandbox.ip, "podIPs": [{"ip": self.sandbox.ip}]}
        pod["status"] = {**old, **new, **self._why}


def _after(others: list[Container]) -> Callable[[], "asyncio.Future[list[None]]"]:
    return lambda: asyncio.gather(*(other.ended() for other in others))
