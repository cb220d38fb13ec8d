"""What pods use of CPU, read from the cluster's metrics API by ourselves and kept.

Source: Kubernetes, "Resource metrics pipeline": `timestamp` ends the window that a sample covers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType

from kubernetes.utils.quantity import parse_quantity

from seatrial.clock import RunClock
from seatrial.errors import ClusterError
from seatrial.watch.api import Api

PERIOD_S = 5.0
ROOT = "/apis/metrics.k8s.io/v1beta1/namespaces"


@dataclass(frozen=True, slots=True)
class CpuReading:
    """One pod's CPU over [to_s - window_s, to_s] on the run's clock, by container; read at at_s."""

    at_s: float
    namespace: str
    pod: str
    to_s: float
    window_s: float
    cores: Mapping[str, float]

    @property
    def from_s(self) -> float:
        """Where its window begins."""
        return self.to_s - self.window_s

    @property
    def total_cores(self) -> float:
        """All containers together."""
        return sum(self.cores.values())


class CpuReader:
    """Use as a context; reads every five seconds until its end."""

    def __init__(self, api: Api, clock: RunClock, *namespaces: str) -> None:
        self._api = api
        self._clock = clock
        self._namespaces = namespaces
        self._readings: list[CpuReading] = []
        self._read = threading.Condition()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="cpu-reader", daemon=True)

    def __enter__(self) -> CpuReader:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def readings(self) -> tuple[CpuReading, ...]:
        """All so far; a sample that did not change between two readings is in it twice."""
        with self._read:
            return tuple(self._readings)

    def wait(self, holds: Callable[[tuple[CpuReading, ...]], bool], timeout_s: float) -> bool:
        """Whether `holds` became true of the readings so far, within timeout_s."""
        with self._read:
            return self._read.wait_for(lambda: holds(tuple(self._readings)), timeout=timeout_s)

    def _work(self) -> None:
        while not self._ended.wait(PERIOD_S):
            for namespace in self._namespaces:
                found = self._once(namespace)
                with self._read:
                    self._readings.extend(found)
                    self._read.notify_all()

    def _once(self, namespace: str) -> list[CpuReading]:
        try:
            items = self._api.get(f"{ROOT}/{namespace}/pods")["items"]
        except ClusterError:
            return []  # no metrics API, or none of these pods yet: the check asks what was read
        return [_reading(item, self._clock, namespace) for item in items]


def _reading(item: Mapping[str, object], clock: RunClock, namespace: str) -> CpuReading:
    metadata, containers = item["metadata"], item["containers"]
    assert isinstance(metadata, dict)
    assert isinstance(containers, list)
    return CpuReading(
        clock.now(),
        namespace,
        metadata["name"],
        clock.at_wall(str(item["timestamp"])),
        seconds(str(item["window"])),
        {container["name"]: cores(container["usage"]["cpu"]) for container in containers},
    )


def cores(quantity: str) -> float:
    """A quantity of CPU, such as 250m, as cores."""
    return float(parse_quantity(quantity))  # type: ignore[no-untyped-call]


def seconds(duration: str) -> float:
    """A duration as Go writes it, such as 15.021s or 1m0s."""
    minutes, _, rest = duration.rpartition("m") if not duration.endswith("ms") else ("", "", duration)
    part_s = float(rest.removesuffix("ms")) / 1000 if rest.endswith("ms") else float(rest.removesuffix("s") or 0)
    return 60 * float(minutes or 0) + part_s
