"""The requests of a contract as the generator sends them, and probes as the kubelet sends them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seatrial.contract import Contract, Json, Reject, StreamingApi
from seatrial.errors import InputError
from seatrial.ledger import Request
from seatrial.observation import Pod
from seatrial.traffic.answers import contains
from seatrial.traffic.plan import Exchange, PodTarget
from seatrial.trials.asking import asked_as, asking


def cases(contract: Contract, api: str = "") -> tuple[Exchange, ...]:
    """Every case of an API, the default one where none is named, in the contract's order. Raises InputError."""
    return asking(contract, api).cases()


def streams(contract: Contract) -> tuple[Exchange, ...]:
    """Every case of the API that promises `Streaming`; the ledger has the times of their events.

    Raises InputError where no API streams.
    """
    streamed = contract.streaming_api
    if streamed is None:
        raise InputError("contract: expected an API with `streaming` for this trial, found none; declare one")
    return asked_as(streamed.place, streamed.api).cases()


def long_case(contract: Contract, seconds: float, api: str = "") -> Exchange:
    """The long case at a chosen length. Raises InputError when the API has none."""
    return asking(contract, api).long_case(seconds)


def large_case(contract: Contract) -> Exchange | None:
    """The large case of the default API; None where it has none. Raises InputError as `cases`."""
    return asking(contract).large_case()


def long_stream(streamed: StreamingApi | None) -> Exchange | None:
    """The long case of the API that streams, at its declared length; None where there is none. Raises InputError."""
    long = streamed.api.long if streamed else None
    return asked_as(streamed.place, streamed.api).long_case(long.seconds) if streamed and long else None


def poison(contract: Contract) -> Exchange:
    """The request that fails on its own; its answer is kept and not read."""
    if contract.batching is None or contract.batching.poison is None:
        raise InputError("contract, batching.poison: expected a request that fails, found none; declare one")
    return asking(contract).unjudged("poison", contract.batching.poison.request)


def is_declared_refusal(row: Request, reject: Reject) -> bool:
    """Whether a row is a whole refusal with the declared status and body."""
    if row.error or row.status != reject.status:
        return False
    return reject.body is None or contains(_parsed(row.body), reject.body)


def _parsed(body: str) -> Json:
    try:
        return json.loads(body)
    except ValueError:
        return None


def probe_agent(kubernetes: str) -> str:
    """The user agent of a kubelet's probes: `kube-probe/1.34` for a cluster of version v1.34.2.

    Source: kubernetes/pkg/probe/http/request.go.
    """
    return f"kube-probe/{'.'.join(kubernetes.removeprefix('v').split('.')[:2])}"


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """An HTTP probe of a live pod (Kubernetes, "Liveness, Readiness, and Startup Probes")."""

    path: str
    port: int
    headers: tuple[tuple[str, str], ...]
    period_s: float
    timeout_s: float
    failure_threshold: int
    initial_delay_s: float

    def exchange(self, name: str, agent: str) -> Exchange:
        """As the kubelet asks: its user agent (`TrialContext.probe_agent`), the probe's own headers, no credentials."""
        return Exchange(name, "GET", self.path, (("User-Agent", agent), ("Accept", "*/*"), *self.headers))

    def target(self, pod: Pod) -> PodTarget:
        """The pod's own address at the probe's port."""
        return PodTarget(pod.name, pod.ip, self.port)

    @property
    def patience_s(self) -> float:
        """How long the kubelet bears failures before it acts."""
        return self.failure_threshold * self.period_s + self.timeout_s


def probe(spec: Mapping[str, Any], container: str, kind: str) -> HttpProbe | None:
    """The readiness, liveness or startup probe of a pod's container, with the API's defaults; None if not HTTP."""
    chosen = next(c for c in spec["containers"] if container in ("", c["name"]))
    given = chosen.get(f"{kind}Probe") or {}
    http = given.get("httpGet")
    if http is None:
        return None
    port = http["port"]
    if not isinstance(port, int):
        port = next((p["containerPort"] for p in chosen.get("ports", ()) if p.get("name") == port), None) or int(port)
    return HttpProbe(
        path=http.get("path", "/"),
        port=port,
        headers=tuple((h["name"], h["value"]) for h in http.get("httpHeaders", ())),
        period_s=given.get("periodSeconds", 10),
        timeout_s=given.get("timeoutSeconds", 1),
        failure_threshold=given.get("failureThreshold", 3),
        initial_delay_s=given.get("initialDelaySeconds", 0),
    )


def deciding_readiness(spec: Mapping[str, Any], container: str) -> HttpProbe | None:
    """The HTTP readiness probe of a pod's container of which a 2xx makes the pod Ready; None where it does not.

    It does not where other containers have probes to pass, where the pod has readiness gates, and where a startup
    probe asks for something else before.
    Source: Kubernetes, "Pod Lifecycle", pod readiness; "Liveness, Readiness, and Startup Probes".
    """
    chosen = next(c for c in spec["containers"] if container in ("", c["name"]))
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    others = [c for c in (*spec["containers"], *sidecars) if c["name"] != chosen["name"]]
    startup, readiness = chosen.get("startupProbe"), chosen.get("readinessProbe") or {}
    waits_for_more = (
        bool(spec.get("readinessGates"))
        or (startup is not None and startup.get("httpGet") != readiness.get("httpGet"))
        or any(c.get("readinessProbe") or c.get("startupProbe") for c in others)
    )
    return None if waits_for_more else probe(spec, container, "readiness")


def probed_otherwise(spec: Mapping[str, Any], container: str, kind: str) -> bool:
    """Whether a pod's container has a probe of this kind that is no HTTP probe, but TCP, exec or gRPC."""
    chosen: Mapping[str, Any] = next((c for c in spec.get("containers", ()) if container in ("", c["name"])), {})
    given = chosen.get(f"{kind}Probe")
    return "httpGet" not in given if given else False


def in_turn(count: int, of: int) -> list[int]:
    """Picks that cycle through all exchanges, so that each is asked as often as any other."""
    return [i % of for i in range(count)]


def drawn(count: int, of: int, seed: int) -> list[int]:
    """Picks drawn at random."""
    picks: list[int] = np.random.default_rng(seed).integers(0, of, count).tolist()
    return picks


def steps(start_s: float, end_s: float, period_s: float) -> Sequence[float]:
    """Arrivals at a fixed period in [start_s, end_s)."""
    arrivals: list[float] = np.arange(start_s, end_s, period_s).tolist()
    return arrivals
