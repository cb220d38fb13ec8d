"""Where the cluster may put pods: nodes that a trial closes, and opens again."""

from __future__ import annotations

from typing import Any

from seatrial.errors import ClusterError, InputError
from seatrial.trials.context import CORDONED, TrialContext
from seatrial.watch.api import Api


class Nodes:
    """Nodes belong to all that runs on the cluster, so that only those of a cluster of our own are touched."""

    def __init__(self, context: TrialContext) -> None:
        self._context = context
        self._cordoned: list[str] = []

    def cordon(self, node: str) -> None:
        """Let no more pods onto a node. Raises InputError where the cluster serves others, too."""
        if not self._context.cluster.is_ours:
            raise InputError(
                f"--cluster {self._context.cluster.name}: expected a cluster of Seatrial's own to cordon {node}, "
                "found one that serves others, too; put this trial on kind"
            )
        # Who closed it is written on the node, so that `seatrial clean` can open it after a run that was killed.
        self._patch(node, unschedulable=True, run=self._context.run_id)
        self._cordoned.append(node)

    def uncordon(self, node: str) -> None:
        """Let pods onto a node again."""
        self._patch(node, unschedulable=None, run=None)
        self._cordoned.remove(node)

    def open_again(self) -> None:
        """Whatever was left closed. What the cluster refuses is said, not raised."""
        for node in tuple(self._cordoned):
            try:
                self.uncordon(node)
            except ClusterError as refusal:
                self._context.say(f"node {node} may be left cordoned, `seatrial clean` opens it: {refusal}")

    def _patch(self, node: str, *, unschedulable: bool | None, run: str | None) -> None:
        _patch(self._context.api, node, unschedulable=unschedulable, run=run)


def reopen(api: Api, run_id: str = "") -> list[str]:
    """Open the nodes that a run left closed, or that any run did; their names."""
    left = [
        str(node["metadata"]["name"])
        for node in api.get("/api/v1/nodes")["items"]
        if (by := (node["metadata"].get("annotations") or {}).get(CORDONED)) and run_id in ("", by.split("-")[0])
    ]
    for node in left:
        _patch(api, node, unschedulable=None, run=None)
    return left


def _patch(api: Api, node: str, *, unschedulable: bool | None, run: str | None) -> None:
    body: dict[str, Any] = {"metadata": {"annotations": {CORDONED: run}}, "spec": {"unschedulable": unschedulable}}
    api.patch(f"/api/v1/nodes/{node}", body)
