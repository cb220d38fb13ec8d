"""The probes of one container, for as long as one run of it lasts."""

import asyncio
from collections.abc import Callable
from typing import Any

from seatrial.clusters.local.kubelet import actions
from seatrial.clusters.local.kubelet.actions import Execute, Outcome
from seatrial.clusters.local.kubelet.execution import NotRunning
from seatrial.clusters.local.kubelet.probe_worker import ProbeKind, ProbeWorker
from seatrial.clusters.local.kubelet.sandbox import Sandbox
from seatrial.clusters.local.kubelet.tasks import spawn

Obj = dict[str, Any]

FIELDS: dict[ProbeKind, str] = {
    "startup": "startupProbe",
    "readiness": "readinessProbe",
    "liveness": "livenessProbe",
}


class ContainerProbes:
    """Starts and stops them; `settled` is told what the thresholds made of the outcomes."""

    def __init__(
        self, sandbox: Sandbox, container: Obj, execute: Execute, settled: Callable[[ProbeKind, bool], None]
    ) -> None:
        self._sandbox, self._container, self._execute, self._settled = sandbox, container, execute, settled
        self._running: dict[ProbeKind, tuple[ProbeWorker, asyncio.Task[None]]] = {}

    def has(self, kind: ProbeKind) -> bool:
        """Whether the container declares a probe of this kind."""
        return bool(self._container.get(FIELDS[kind]))

    def start(self, kind: ProbeKind, started_at_s: float) -> None:
        """Begin, if there is such a probe; the container started at `started_at_s` of the loop's clock."""
        if self.has(kind):
            probe, since_s = self._container[FIELDS[kind]], self._sandbox.arrived_at_s
            worker = ProbeWorker(kind, probe, self._attempt, self._attempted, self._settled, since_s)
            task = spawn(worker.run(started_at_s), f"{kind} of {self._container['name']}")
            self._running[kind] = (worker, task)

    def stop(self, *kinds: ProbeKind) -> None:
        """These, or all."""
        for kind in kinds or FIELDS:
            if kind in self._running:
                self._running.pop(kind)[1].cancel()

    def ask_readiness_now(self) -> None:
        """Without waiting for the next tick."""
        if "readiness" in self._running:
            self._running["readiness"][0].trigger()

    def grace_period_s(self, kind: ProbeKind, of_the_pod_s: int) -> int:
        """How long a container that failed this probe may take to stop."""
        return int(self._container[FIELDS[kind]].get("terminationGracePeriodSeconds", of_the_pod_s))

    async def _attempt(self, probe: Obj, timeout_s: float) -> Outcome:
        ip, session = self._sandbox.ip, self._sandbox.context.http
        if "httpGet" in probe:
            return await actions.http_get(session, probe["httpGet"], self._container, ip, timeout_s)
        if "tcpSocket" in probe:
            return await actions.tcp_connect(probe["tcpSocket"], self._container, ip, timeout_s)
        if "exec" in probe:
            try:
                return await actions.run_command(self._execute, probe["exec"], timeout_s)
            except NotRunning as error:
                return Outcome("failure", str(error))
        return Outcome("failure", "the local cluster makes no gRPC probes; use httpGet, tcpSocket or exec")

    def _attempted(self, kind: ProbeKind, outcome: Outcome) -> None:
        recorder, pod, name = self._sandbox.context.recorder, self._sandbox.pod, self._container["name"]
        if outcome.result == "failure":
            recorder.warning(pod, "Unhealthy", f"{kind.capitalize()} probe failed: {outcome.output}", name)
        elif outcome.result == "warning":
            recorder.warning(pod, "ProbeWarning", f"{kind.capitalize()} probe warning: {outcome.output}", name)
