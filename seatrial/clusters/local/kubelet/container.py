"""One container of a pod: started, probed, restarted, stopped.

Source: the kubelet's kuberuntime_container.go (startContainer, killContainer) and
kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from seatrial.clusters.local.kubelet import actions
from seatrial.clusters.local.kubelet.actions import Outcome
from seatrial.clusters.local.kubelet.backoff import Backoff
from seatrial.clusters.local.kubelet.container_probes import ContainerProbes
from seatrial.clusters.local.kubelet.creation import as_seen_inside, process_spec, termination_message
from seatrial.clusters.local.kubelet.environment import ConfigError
from seatrial.clusters.local.kubelet.execution import ExecResult, NotRunning, ReadStdin, execute, nothing
from seatrial.clusters.local.kubelet.images import Image
from seatrial.clusters.local.kubelet.listeners import wildcard_ports
from seatrial.clusters.local.kubelet.logs import ContainerLog
from seatrial.clusters.local.kubelet.probe_worker import ProbeKind
from seatrial.clusters.local.kubelet.process import Process, ProcessSpec, StartFailed, start
from seatrial.clusters.local.kubelet.pulling import pull
from seatrial.clusters.local.kubelet.sandbox import Sandbox
from seatrial.clusters.local.kubelet.status import ContainerRecord, waiting
from seatrial.clusters.local.kubelet.tasks import spawn
from seatrial.clusters.local.store import timestamp

Obj = dict[str, Any]

# Never less after the preStop hook, so that a hook that used up the grace period still leaves time to end.
SHORTEST_GRACE_S = 2
CANNOT_START = 128  # the exit code that containerd reports


class Container:
    """`run` keeps it going, `stop` ends it; `changed` is called whenever `record` has."""

    def __init__(self, sandbox: Sandbox, spec: Obj, changed: Callable[[], None], *, init: bool = False) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        sidecar = init and spec.get("restartPolicy") == "Always"
        self.record = ContainerRecord(self.name, spec["image"], init=init, sidecar=sidecar)
        self.logs: list[ContainerLog] = []
        self.process: Process | None = None
        self.attempted = asyncio.Event()  # a first start was tried, its postStart hook included
        self.started = asyncio.Event()  # the startup probe, if any, has succeeded
        self._sandbox = sandbox
        self._changed = changed
        self._folder = sandbox.folder / "containers" / self.name
        self._process_spec: ProcessSpec | None = None
        self._image_id = ""
        self._backoff = Backoff()
        self._ended_at_s = 0.0
        self._ended_before_at_s: float | None = None  # the run before the last one; None: there was none
        self._failed_probe = False  # why the last run ended
        self._pre_stopping: asyncio.Task[None] | None = None
        self._started_at_s = 0.0
        self._probes = ContainerProbes(sandbox, spec, self.execute, self._settled)
        self._killing: asyncio.Task[None] | None = None

    # -- running ------------------------------------------------------------------------------------------------

    async def run(self, restarts: Callable[[int], bool]) -> int:
        """Start, and start again as long as `restarts(exit_code)`; the last exit code.

        When cancelled, a running container goes on: `stop` it.
        """
        while True:
            code = await self._run_once()
            self.attempted.set()
            if self._killing is not None:
                await self._killing
            if not restarts(code):
                return code
            await self._back_off()

    async def _run_once(self) -> int:
        image = await pull(self._sandbox, self.name, self.spec["image"], self._waits)
        self._image_id = image.id
        spec = await self._configured(image)
        log = ContainerLog(self._sandbox.log_path(self.name, len(self.logs)))
        self.logs.append(log)
        output = log.pipe()
        try:
            process = await start(spec, stdout=output, stderr=output)
        except StartFailed as error:
            self._could_not_start(str(error))
            return CANNOT_START
        finally:
            os.close(output)
        self._runs(process, spec)
        if await self._post_start() and process.running:
            self._begin_probes()
        self.attempted.set()
        return await process.wait()

    async def _configured(self, image: Image) -> ProcessSpec:
        while True:
            # Taken before looking, so that no change can be missed.
            change = asyncio.ensure_future(
                self._sandbox.context.changes.wait(self._sandbox.namespace, ("configmaps", "secrets"))
            )
            try:
                await asyncio.sleep(0)
                return process_spec(self._sandbox, self.spec, image, self._folder)
            except ConfigError as error:
                self._warn("Failed", f"Error: {error}")
                self._waits("CreateContainerConfigError", str(error))
                await change
            finally:
                change.cancel()

    def _runs(self, process: Process, spec: ProcessSpec) -> None:
        self.process, self._process_spec = process, spec
        self._pre_stopping = None
        self._failed_probe = False
        self._next_run({"running": {"startedAt": timestamp()}})
        self._started_at_s = asyncio.get_running_loop().time()
        self._tell("Created", f"Created container: {self.name}")
        self._tell("Started", f"Started container {self.name}")
        process.on_exit(self._exited)
        self._changed()

    def _next_run(self, state: Obj) -> None:
        record = self.record
        if "terminated" in record.state:
            record.last_state = record.state
        record.restart_count = len(self.logs) - 1
        record.container_id = f"local://{uuid4().hex}{uuid4().hex}"
        record.image_id = self._image_id
        record.state = state

    def _could_not_start(self, why: str) -> None:
        message = f"failed to create containerd task: failed to start the process: {why}"
        now = timestamp()
        self._next_run({})
        self._ends({"exitCode": CANNOT_START, "reason": "StartError", "message": message, "startedAt": now})
        self._warn("Failed", f"Error: {message}")

    def _exited(self, code: int) -> None:
        terminated = {"exitCode": code, "reason": "Completed" if code == 0 else "Error"}
        terminated["startedAt"] = self.record.state.get("running", {}).get("startedAt", timestamp())
        message = termination_message(self.spec, self._folder, code, lambda: self.logs[-1].tail(80, 2048))
        self._ends(terminated | ({"message": message} if message else {}))

    def _ends(self, terminated: Obj) -> None:
        self._probes.stop()
        self._ended_before_at_s = self._ended_at_s or None
        self._ended_at_s = asyncio.get_running_loop().time()
        record = self.record
        ended = {"finishedAt": timestamp(), "containerID": record.container_id}
        record.state = {"terminated": terminated | ended}
        record.started = False
        record.ready = record.init and not record.sidecar and terminated["exitCode"] == 0
        self._changed()

    async def _back_off(self) -> None:
        loop = asyncio.get_running_loop()
        # The kubelet stops a container for its probe and starts it anew in one go, before it has seen the end: what
        # it goes by is the end of the run before. So here the waits lag by one, and the first is skipped.
        known_end_s = self._ended_before_at_s if self._failed_probe else self._ended_at_s
        if known_end_s is None:
            return
        if known_end_s + self._backoff.delay_s(known_end_s) > loop.time():
            delay_s = self._backoff.delay_s(self._ended_at_s)
            pod = self._sandbox.pod["metadata"]
            whose = f"{pod['name']}_{pod['namespace']}({pod['uid']})"
            self._warn("BackOff", f"Back-off restarting failed container {self.name} in pod {whose}")
            text = f"{delay_s // 60:.0f}m{delay_s % 60:.0f}s" if delay_s >= 60 else f"{delay_s:.0f}s"
            self.record.last_state = self.record.state
            self._waits("CrashLoopBackOff", f"back-off {text} restarting failed container={self.name} pod={whose}")
            await asyncio.sleep(max(0.0, self._ended_at_s + delay_s - loop.time()))
        self._backoff.restarted(loop.time(), self._ended_at_s)

    def _waits(self, reason: str, message: str) -> None:
        """It cannot run now, and whoever comes after it need not wait for it to start."""
        self.record.state = waiting(reason, message)
        self.attempted.set()
        self._changed()

    def _tell(self, reason: str, message: str) -> None:
        self._sandbox.context.recorder.normal(self._sandbox.pod, reason, message, self.name)

    def _warn(self, reason: str, message: str) -> None:
        self._sandbox.context.recorder.warning(self._sandbox.pod, reason, message, self.name)

    # -- hooks and commands -------------------------------------------------------------------------------------

    async def _post_start(self) -> bool:
        hook = (self.spec.get("lifecycle") or {}).get("postStart")
        if not hook or (await self._hook(hook)).ok:
            return True
        self._warn("FailedPostStartHook", "PostStartHook failed")
        self._kill("FailedPostStartHook", self._pod_grace_s)
        return False

    async def _hook(self, hook: Obj) -> Outcome:
        if "exec" in hook:
            try:
                return await actions.run_command(self.execute, hook["exec"], None)
            except NotRunning as error:
                return Outcome("failure", str(error))
        if "httpGet" in hook:
            return await actions.http_hook(self._sandbox.context.http, hook["httpGet"], self.spec, self._sandbox.ip)
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
        return Outcome("success")

    async def execute(
        self, argv: Sequence[str], timeout_s: float | None = None, stdin: ReadStdin = nothing
    ) -> ExecResult:
        """Run a command beside the container's own. Raises NotRunning and TimeoutError."""
        if self.process is None or not self.process.running or self._process_spec is None:
            raise NotRunning(f"container {self.name} is not running; wait until it is, or read its logs")
        enter = self.process.pid if self._process_spec.isolate else None
        command = as_seen_inside(argv, self._process_spec)
        return await execute(replace(self._process_spec, argv=command, enter=enter), stdin, timeout_s)

    # -- probes -------------------------------------------------------------------------------------------------

    def probe_readiness_now(self) -> None:
        """While it is not ready, any change of the pod is a reason to look again."""
        if not self.record.ready:
            self._probes.ask_readiness_now()

    def _begin_probes(self) -> None:
        if self._probes.has("startup"):
            self._probes.start("startup", self._started_at_s)
        else:
            self._has_started()

    def _has_started(self) -> None:
        self.record.started = True
        self.record.ready = not self._probes.has("readiness")
        self.started.set()
        self._probes.start("readiness", self._started_at_s)
        self._probes.start("liveness", self._started_at_s)
        self._changed()

    def _settled(self, kind: ProbeKind, ok: bool) -> None:
        if kind == "readiness":
            if self.record.ready != ok:
                self.record.ready = ok
                self._changed()
                if ok:
                    self._warn_of_wildcard_listeners()
        elif not ok:
            restarted = self._sandbox.pod["spec"].get("restartPolicy", "Always") != "Never"
            message = f"Container {self.name} failed {kind} probe"
            grace_s = self._probes.grace_period_s(kind, self._pod_grace_s)
            self._failed_probe = True
            self._kill(message + ", will be restarted" if restarted else message, grace_s)
        elif kind == "startup":
            self._has_started()

    def _warn_of_wildcard_listeners(self) -> None:
        ports = wildcard_ports(self.process) if self.process is not None else []
        if ports:
            where = ", ".join(f"0.0.0.0:{port}" for port in ports)
            self._warn(
                "WildcardListener",
                f"Container {self.name} listens on {where}: pods of the local cluster share one network, so it may "
                "answer for others and keep them from listening. Let it listen on $POD_IP, or name its address in "
                '--process "IMAGE=COMMAND --host {pod_ip}"',
            )

    # -- stopping -----------------------------------------------------------------------------------------------

    @property
    def _pod_grace_s(self) -> int:
        return int(self._sandbox.pod["spec"].get("terminationGracePeriodSeconds", 30))

    def _kill(self, message: str, grace_s: int) -> None:
        """Stop this run of the container; `run` decides what comes after."""
        if self._killing is None or self._killing.done():
            self._killing = spawn(self._end(grace_s, message, None), f"kill {self.name}")

    async def stop(self, grace_s: int, turn: Callable[[], Awaitable[object]] | None = None) -> None:
        """The pod ends: liveness does not matter any more, readiness still does.

        `turn` is awaited between the preStop hook and SIGTERM, within the grace period.
        """
        if self._killing is not None:
            self._killing.cancel()
        self._probes.stop("startup", "liveness")
        await self._end(grace_s, f"Stopping container {self.name}", turn)

    async def _end(self, grace_s: int, message: str, turn: Callable[[], Awaitable[object]] | None) -> None:
        process = self.process
        if process is None or not process.running:
            return
        self._tell("Killing", message)
        left_s = grace_s
        if left_s > 0:
            left_s -= await self._pre_stop(process, left_s)
        if turn is not None and left_s > 0:
            left_s -= await _whole_seconds(turn(), left_s)
        process.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(max(left_s, SHORTEST_GRACE_S)):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _pre_stop(self, process: Process, within_s: int) -> int:
        """Run the hook; the seconds it took, in whole seconds as the kubelet counts them.

        One that outlasts the grace period is not waited for any longer, but goes on as long as the container.
        """
        hook = (self.spec.get("lifecycle") or {}).get("preStop")
        if not hook:
            return 0
        if self._pre_stopping is None:
            self._pre_stopping = hooking = spawn(self._run_pre_stop(hook, process), f"preStop {self.name}")
            process.on_exit(lambda _: hooking.cancel())
        return await _whole_seconds(asyncio.wait({self._pre_stopping}), within_s)

    async def _run_pre_stop(self, hook: Obj, process: Process) -> None:
        if not (await self._hook(hook)).ok and process.running:
            self._warn("FailedPreStopHook", "PreStopHook failed")

    async def ended(self) -> None:
        """Return when nothing of it runs."""
        if self.process is not None:
            await self.process.wait()

    async def destroy(self) -> None:
        """Everything of it ends at once; nothing is recorded."""
        self._changed = lambda: None
        self._probes.stop()
        if self._killing is not None:
            self._killing.cancel()
        if self.process is not None:
            self.process.kill()
            await self.process.wait()


async def _whole_seconds(awaitable: Awaitable[object], within_s: int) -> int:
    """Wait for it, `within_s` at most; the seconds that took, rounded down."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    try:
        async with asyncio.timeout(within_s):
            await awaitable
    except TimeoutError:
        return within_s
    return int(loop.time() - begun_s)
