"""A dependency in a sandbox: how it comes up, and the gate before it in the hands of a trial."""

from __future__ import annotations

import json
import time
from typing import Any

from seatrial.dependencies.base import DONE
from seatrial.dependencies.kinds import Planned
from seatrial.dependencies.manifests import GATE, SERVER, gate_pod, server_pod
from seatrial.errors import ClusterError, InputError
from seatrial.images import refuse_unpullable
from seatrial.observation import DependencyCounts, ObservedDependency, Switch
from seatrial.trials.context import TrialContext
from seatrial.trials.overlay import object_path
from seatrial.trials.sandbox.filling import fill
from seatrial.watch.exec import run_in_pod
from seatrial.watch.pods import is_ready
from seatrial.watch.trouble import state_of

LOOK_EVERY_S = 0.2
LAST_LINES = 8


class BroughtDependency:
    """One of the contract's that Seatrial brings. Until `come_up` has returned, only `make` may be called.

    Switches return when they hold for every connection; `marks` then gets NAME-WHAT with that time. They raise
    ClusterError where the gate cannot be reached.
    """

    def __init__(self, context: TrialContext, namespace: str, marks: dict[str, float], planned: Planned) -> None:
        self.name = planned.name
        self._context, self._namespace, self._marks, self._planned = context, namespace, marks, planned
        self._stands_by = planned.server.stands_by
        self._switches: list[Switch] = []
        self._counts: list[DependencyCounts] = []

    # coming up

    def make(self) -> None:
        """Make its objects."""
        api = self._context.api
        for manifest in self._planned.objects():
            api.apply(object_path(api, self._namespace, manifest), manifest)

    def come_up(self) -> None:
        """Return when it answers and has been filled.

        Raises ClusterError, with the last lines of its log, when it does not answer within `ready_within_s`; and
        InputError for an image that cannot be pulled, or SQL that the database refuses.
        """
        deadline_s = time.monotonic() + self._planned.wanted.ready_within_s
        self._await_ready(server_pod(self.name), SERVER, deadline_s)
        self._await_ready(gate_pod(self.name), GATE, deadline_s)
        if self._planned.server.proof:
            self._stands_by += f", version {self._await_proof(deadline_s)}"
        if self._planned.server.seed:
            said = self._run(SERVER, server_pod(self.name), self._planned.server.seed)
            if DONE not in said:
                raise InputError(
                    f"{self._planned.key}.seed: expected SQL that the database takes, "
                    f"found that it says: {_end_of(said)}; correct the file"
                )
        if objects := self._planned.kind.objects():
            fill(self._context.cluster, self._namespace, self._planned, objects)

    def _await_ready(self, pod: str, container: str, deadline_s: float) -> None:
        path = f"/api/v1/namespaces/{self._namespace}/pods/{pod}"
        while not is_ready(found := self._context.api.get(path)):
            refuse_unpullable(found)
            if time.monotonic() > deadline_s:
                raise self._not_up(f"{pod}: {state_of(found) or 'not ready'}", self._log_of(pod, container))
            time.sleep(LOOK_EVERY_S)

    def _await_proof(self, deadline_s: float) -> str:
        while DONE not in (said := self._run(SERVER, server_pod(self.name), self._planned.server.proof)):
            if time.monotonic() > deadline_s:
                raise self._not_up(f"that it says: {_end_of(said)}", self._log_of(server_pod(self.name), SERVER))
            time.sleep(LOOK_EVERY_S)
        return said.splitlines()[0].strip()

    def _not_up(self, found: str, log: str) -> ClusterError:
        wanted = self._planned.wanted
        return ClusterError(
            f"{self._planned.key}: expected {self._stands_by} to answer within {wanted.ready_within_s:g} s, found "
            f"{found}; its log ends: {log or 'without a line'}; mend what it says, or raise "
            "ready_within_s"
        )

    def _log_of(self, pod: str, container: str) -> str:
        """Its last lines: of the life that ended, where there is one."""
        path = f"/api/v1/namespaces/{self._namespace}/pods/{pod}/log"
        for query in ({"previous": "true"}, {}):
            try:
                text = self._context.api.text(path, container=container, tailLines=str(LAST_LINES), **query)
            except ClusterError:
                continue  # no such life, or none yet
            if text.strip():
                return _end_of(text)
        return ""

    # the gate

    def open(self) -> DependencyCounts:
        """Pass everything on, as from the beginning."""
        return self._switch("open")

    def refuse(self) -> DependencyCounts:
        """Refuse new connections; those that are open go on."""
        return self._switch("refuse")

    def stall(self) -> DependencyCounts:
        """Accept connections, and let nothing move on any."""
        return self._switch("stall")

    def slow(self, *, delay_s: float = 0.0, bytes_per_s: float = 0.0) -> DependencyCounts:
        """Hold up every chunk by delay_s, and let no connection pass more than bytes_per_s (0: no limit) each way."""
        return self._switch("slow", delay_s=float(delay_s), bytes_per_s=float(bytes_per_s))

    def cut(self) -> DependencyCounts:
        """Reset the connections that are open; the mode stays."""
        return self._switch("cut")

    def counts(self) -> DependencyCounts:
        """What the gate has counted so far."""
        return self._ask({"do": "read"})

    def observed(self) -> ObservedDependency:
        """What was done to it and what it was asked for, up to now."""
        self.counts()
        kind = self._context.contract.dependencies.root[self.name].kind
        return ObservedDependency(
            self.name, kind, self._planned.service, self._stands_by, tuple(self._switches), tuple(self._counts)
        )

    def _switch(self, what: str, **settings: float) -> DependencyCounts:
        counts = self._ask({"do": what, **settings})
        self._switches.append(Switch(what, counts.asked_s, counts.read_s, **settings))
        self._marks[f"{self.name}-{what}"] = counts.read_s
        return counts

    def _ask(self, asked: dict[str, Any]) -> DependencyCounts:
        asked_s = self._context.clock.now()
        command = ("python", "-m", "seatrial.dependencies.gate_control", json.dumps(asked))
        said = self._run(GATE, gate_pod(self.name), command)
        read_s = self._context.clock.now()
        try:
            answer = json.loads(said.splitlines()[-1])
            counted, mode = answer["counts"], answer["mode"]
        except (ValueError, LookupError):
            raise ClusterError(
                f"{self._namespace}/{gate_pod(self.name)}: expected the gate's answer to {asked['do']}, found "
                f"{_end_of(said) or 'nothing'}; is its container up?"
            ) from None
        if not self._planned.kind.speaks_http:
            counted["requests"] = None
        self._counts.append(DependencyCounts(asked_s, read_s, mode, **counted))
        return self._counts[-1]

    def _run(self, container: str, pod: str, command: tuple[str, ...]) -> str:
        return run_in_pod(self._context.cluster, self._namespace, pod, container, command)


def _end_of(text: str) -> str:
    return " / ".join(line.strip() for line in text.strip().splitlines()[-LAST_LINES:])[-600:]
