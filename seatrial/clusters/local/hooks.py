"""What the API server asks for, answered by the kubelet and the controllers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from seatrial.clusters.local.api.errors import StoreError, bad_request
from seatrial.clusters.local.api.hooks import ExecStreams, LogOptions, PodUsage, Usage
from seatrial.clusters.local.controllers import disruption
from seatrial.clusters.local.kubelet.kubelet import Kubelet
from seatrial.clusters.local.kubelet.logs import LogOptions as ReadOptions
from seatrial.clusters.local.store import Store
from seatrial.errors import ClusterError

Obj = dict[str, Any]


class NodeHooks:
    """The hooks of a cluster with one kubelet."""

    def __init__(self, store: Store, kubelet: Kubelet) -> None:
        self._store = store
        self._kubelet = kubelet

    async def logs(self, pod: Obj, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """The container's log; StoreError 400 where there is none (yet)."""
        metadata = pod["metadata"]
        since = datetime.fromisoformat(options.since_time).timestamp() if options.since_time else None
        wanted = ReadOptions(
            follow=options.follow,
            timestamps=options.timestamps,
            tail_lines=options.tail_lines,
            since_s=options.since_s,
            since_time_s=since,
            limit_bytes=options.limit_bytes,
        )
        try:
            async for line in self._kubelet.logs(
                metadata["namespace"], metadata["name"], container, previous=options.previous, options=wanted
            ):
                yield line
        except StoreError:
            raise
        except ClusterError as refusal:
            raise bad_request(str(refusal)) from None

    async def exec(self, pod: Obj, container: str, command: list[str], streams: ExecStreams) -> int:
        """Run to the end, then answer: stdin arrives as it is typed, output in one."""
        metadata = pod["metadata"]
        try:
            result = await self._kubelet.exec(
                metadata["namespace"], metadata["name"], command, container, stdin=streams.read_stdin
            )
        except ClusterError as refusal:
            raise bad_request(str(refusal)) from None
        if result.stdout:
            await streams.write_stdout(result.stdout)
        if result.stderr:
            await streams.write_stderr(result.stderr)
        return result.exit_code

    def refuse_eviction(self, pod: Obj) -> str | None:
        """None: the eviction has been taken off the budget. StoreError 429 or 500 otherwise."""
        disruption.refuse_eviction(self._store, pod)
        return None

    def pod_usage(self, pod: Obj) -> PodUsage | None:
        """The pod's last sample, if it is of this very pod."""
        key = pod["metadata"]["namespace"], pod["metadata"]["name"]
        for found in self._kubelet.pod_metrics():
            if (found.namespace, found.name) == key:
                containers = {used.name: Usage(used.cpu_cores, used.memory_bytes) for used in found.containers}
                return PodUsage(found.at_s, found.window_s, containers)
        return None
