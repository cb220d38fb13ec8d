"""CPU and memory of pods, read from /proc.

CPU is that of the processes alive and of those they have waited for, in clock ticks of 10 ms; memory is their
resident set, so what forked workers share counts once for each.
"""

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from seatrial.clusters.local.kubelet.process import Process

WINDOW_S = 15.0  # as metrics-server
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


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


@dataclass(frozen=True, slots=True)
class PodProcesses:
    """Whose processes are measured: the running containers of a pod by name."""

    namespace: str
    name: str
    containers: Mapping[str, Process]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process tree has used: CPU since its start, memory now."""

    cpu_ns: int
    memory_bytes: int


class Meter:
    """Turns the CPU used since the sample before into cores."""

    def __init__(self) -> None:
        self._before: dict[Process, Usage] = {}
        self._before_s = 0.0

    def sample(self, pods: Sequence[PodProcesses]) -> list[PodMetrics]:
        """The use since the last call, of the containers that ran then already."""
        now_s = time.monotonic()
        window_s = now_s - self._before_s
        used = usage([process for pod in pods for process in pod.containers.values()])
        found = []
        for pod in pods:
            containers = tuple(
                ContainerMetrics(
                    name,
                    max(0, used[process].cpu_ns - self._before[process].cpu_ns) / 1e9 / window_s,
                    used[process].memory_bytes,
                )
                for name, process in pod.containers.items()
                if process in used and process in self._before
            )
            if containers:
                found.append(PodMetrics(pod.namespace, pod.name, time.time(), window_s, containers))
        self._before, self._before_s = used, now_s
        return found


def usage(processes: Iterable[Process]) -> dict[Process, Usage]:
    """Of those that run, in one pass over /proc."""
    groups = {group: process for process in processes if process.running and (group := _group_of(process))}
    if not groups:
        return {}
    cpu_ns: defaultdict[Process, int] = defaultdict(int)
    memory_bytes: defaultdict[Process, int] = defaultdict(int)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        found = groups.get(_group(pid, True)) or groups.get(_group(pid, False))
        if found is None:
            continue
        with suppress(OSError):
            fields = _stat(pid)
            cpu_ns[found] += sum(map(int, fields[11:15])) * TICK_NS
            memory_bytes[found] += int(fields[21]) * PAGE_BYTES
    return {process: Usage(cpu_ns[process], memory_bytes[process]) for process in cpu_ns}


def members(process: Process) -> list[str]:
    """The pids of a container."""
    group = _group_of(process)
    pids = filter(str.isdigit, os.listdir("/proc"))
    return [pid for pid in pids if group and _group(pid, process.isolated) == group]


def _group_of(process: Process) -> str:
    return _group(str(process.pid), process.isolated)


def _group(pid: str, isolated: bool) -> str:
    """What the processes of one container have in common: the PID namespace, or the session."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid") if isolated else f"session:{_stat(pid)[3]}"
    except OSError:
        return ""


def _stat(pid: str) -> list[str]:
    """The fields of /proc/PID/stat from the third on (state), after the command in parentheses."""
    return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
