"""CPU and memory of pods, read from /proc.

CPU is that of the processes alive and of those they have waited for, in clock ticks of 10 ms; memory is their
resident set, so what forked workers share counts once for each.
"""

import os
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from seatrial.clusters.local.kubelet.container import Container

WINDOW_S = 15.0  # as metrics-server
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process tree has used: CPU since its start, memory now."""

    cpu_ns: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class ContainerMetrics:
    """A container's use over the last window."""

    name: str
    cpu_cores: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class PodMetrics:
    """A pod's, for metrics.k8s.io; only containers measured twice are in it."""

    namespace: str
    name: str
    at_s: float  # end of the window, seconds since the epoch
    window_s: float
    containers: tuple[ContainerMetrics, ...]


def usage(containers: Iterable[Container]) -> dict[Container, Usage]:
    """Of the running ones among `containers`, in one pass over /proc."""
    groups = {}
    for container in containers:
        process = container.process
        if process is not None and process.running:
            group = _group(str(process.pid), process.isolated)
            if group:
                groups[group] = container
    cpu_ns: defaultdict[Container, int] = defaultdict(int)
    memory_bytes: defaultdict[Container, int] = defaultdict(int)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        found = groups.get(_group(pid, True)) or groups.get(_group(pid, False))
        if found is None:
            continue
        with suppress(OSError):
            fields = _stat(pid)
            cpu_ns[found] += sum(map(int, fields[11:15])) * TICK_NS
            memory_bytes[found] += int(fields[21]) * PAGE_BYTES
    return {container: Usage(cpu_ns[container], memory_bytes[container]) for container in cpu_ns}


def _group(pid: str, isolated: bool) -> str:
    """What the processes of one container have in common: the PID namespace, or the session."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid") if isolated else f"session:{_stat(pid)[3]}"
    except OSError:
        return ""


def _stat(pid: str) -> list[str]:
    """The fields of /proc/PID/stat from the third on (state), after the command in parentheses."""
    return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
