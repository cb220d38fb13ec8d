"""What the API server asks of the kubelet and of the controllers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Obj = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The query parameters of `pods/NAME/log`; None is "not asked for"."""

    follow: bool = False
    previous: bool = False  # of the container instance before the last restart
    timestamps: bool = False  # an RFC 3339 time with nanoseconds in front of every line
    tail_lines: int | None = None
    since_s: float | None = None  # only lines that are younger
    since_time: str | None = None  # only lines since then, RFC 3339
    limit_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container uses now."""

    cpu_cores: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class PodUsage:
    """What a pod uses, averaged over `window_s` up to `at_s` (seconds since the epoch)."""

    at_s: float
    window_s: float
    containers: Mapping[str, Usage]


class ExecStreams(Protocol):
    """The client's side of `kubectl exec`."""

    async def read_stdin(self) -> bytes:
        """The next bytes the client typed; empty at the end, and at once if no stdin was asked for."""
        ...

    async def write_stdout(self, data: bytes) -> None: ...

    async def write_stderr(self, data: bytes) -> None: ...


class Hooks(Protocol):
    """What others provide. Every method may raise StoreError, which is answered as it is."""

    def logs(self, pod: Obj, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """The container's log; with `follow` it ends when the container does."""
        ...

    async def exec(self, pod: Obj, container: str, command: list[str], streams: ExecStreams) -> int:
        """Run a command in a container; its exit status."""
        ...

    def refuse_eviction(self, pod: Obj) -> str | None:
        """Why no PodDisruptionBudget allows this eviction now (429), or None when it may happen."""
        ...

    def pod_usage(self, pod: Obj) -> PodUsage | None:
        """What metrics.k8s.io reports for a pod; None while nothing is known."""
        ...
