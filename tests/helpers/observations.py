"""Made-up observations: everything is good and nothing is missing but for what a call changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from seatrial.contract import Contract
from seatrial.ledger import Ledger, ledger
from seatrial.observation import Change, GeneratorHealth, Scrape, Timeline, Workload
from seatrial.suite import Check
from seatrial.suite.registry import load_checks
from seatrial.verdict import Verdict

REPOSITORY = Path(__file__).parents[2]
SIZE_BOUNDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, float("inf"))


@cache
def checks() -> dict[str, Check]:
    """All checks of this repository, by id."""
    return load_checks(REPOSITORY / "conformance")


def judged(id: str, *given: object) -> Verdict:
    """What the check says to a contract and observations, handed over by type, as a run does."""
    check = checks()[id]
    agreed = next((one for one in given if isinstance(one, Contract)), contract())
    seen = {name: next(one for one in given if isinstance(one, kind)) for name, kind in check.observes().items()}
    return check.function(**check.of_contract(agreed), **seen)


def contract(**promises: Any) -> Contract:
    """A contract of 72 cases whose answers tell them apart, and the promises given."""
    cases = [{"request": {"text": f"case {n:02}"}, "expect": {"answer": n}, "name": f"c{n}"} for n in range(72)]
    asked = {"cases": promises.pop("cases", cases), "large": promises.pop("large", None)}
    inference = {"path": "/infer", "deadline_s": 2.0, **asked}
    return Contract.model_validate({"apiVersion": "seatrial/v1", "name": "subject", "inference": inference, **promises})


def common(
    rows: Iterable[Mapping[str, Any]] | Ledger = (),
    changes: Iterable[Change] = (),
    scrapes: Iterable[Scrape] = (),
) -> dict[str, Any]:
    """The fields that every observation has; the ReplicaSet that owns made-up pods is the subject's unless given."""
    changes = tuple(changes)
    owned = () if any(change.kind == "ReplicaSet" for change in changes) else (REPLICA_SET,)
    return {
        "trial": "made-up",
        "namespace": "ns",
        "wall_origin_s": 0.0,
        "started_s": 0.0,
        "ended_s": 1000.0,
        "values": {},
        "ledger": rows if isinstance(rows, Ledger) else ledger(rows),
        "timeline": Timeline((*owned, *changes)),
        "scrapes": tuple(scrapes),
        "logs": (),
        "pods": (),
        "generator": GeneratorHealth(1, 1, 0.0, 0.0, 0.0, 0.0),
        "subject": SUBJECT,
    }


SUBJECT = Workload("Deployment", "subject")
OWNED = [{"kind": "ReplicaSet", "name": "subject-1"}]
REPLICA_SET = Change(
    0.0,
    "ReplicaSet",
    "ADDED",
    "subject-1",
    {"metadata": {"name": "subject-1", "ownerReferences": [{"kind": SUBJECT.kind, "name": SUBJECT.name}]}},
)


def row(load: str, at_s: float, took_s: float = 0.05, **other: Any) -> dict[str, Any]:
    """A right answer of pod `a`."""
    return {
        "load": load,
        "case": "c0",
        "target": "a",
        "pod": "a",
        "scheduled_s": at_s,
        "sent_s": at_s,
        "ended_s": at_s + took_s,
        "status": 200,
        "correct": 1,
        **other,
    }


def lost(given: Mapping[str, Any], error: str = "eof") -> dict[str, Any]:
    """The same request without an answer."""
    return {**given, "status": 0, "correct": 0, "error": error}


def wrong(given: Mapping[str, Any], body: str, status: int = 200) -> dict[str, Any]:
    """The same request with another answer."""
    return {**given, "status": status, "correct": 0, "body": body}


class Counters:
    """A service's metrics: batches are counted, and can be scraped."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.runs = 0

    def count(self, *sizes: int, runs: int | None = None) -> None:
        """Batches of these sizes; as many runs of the model, unless told."""
        self.sizes += sizes
        self.runs += len(sizes) if runs is None else runs

    def scrape(self, at_s: float, pod: str = "a") -> Scrape:
        """/metrics now."""
        lines = ["# TYPE batch_size histogram"]
        for bound in SIZE_BOUNDS:
            label = "+Inf" if bound == float("inf") else str(bound)
            lines.append(f'batch_size_bucket{{le="{label}"}} {sum(size <= bound for size in self.sizes)}.0')
        lines += [f"batch_size_count {len(self.sizes)}.0", f"batch_size_sum {sum(self.sizes)}.0"]
        lines += ["# TYPE model_runs_total counter", f"model_runs_total {self.runs}.0", ""]
        return Scrape(at_s, pod, 200, "\n".join(lines), 0.001)


METRICS = {"path": "/metrics", "batch_size": "batch_size", "model_runs": "model_runs_total"}


def pod_change(
    at_s: float, name: str = "a", *, ready: bool = True, restarts: int = 0, namespace: str = "ns", **spec: Any
) -> Change:
    """A pod with one container that runs."""
    item = {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": name,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": OWNED,
        },
        "spec": {"containers": [{"name": "server", "resources": {"requests": {"cpu": "100m"}}, **spec}]},
        "status": {
            "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [
                {"name": "server", "ready": ready, "restartCount": restarts, "state": {"running": {}}}
            ],
        },
    }
    return Change(at_s, "Pod", "MODIFIED", name, item)
