"""A made-up overload: two replicas that carry 20/s, refuse what is too much at once, and recover."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from seatrial.ledger import Ledger, ledger
from seatrial.observation import Change, Pod
from seatrial.trials.held_slots import EXTRA, HOLD, Held
from seatrial.trials.overload import BASELINE, CLOSED, OVER, RECOVERY, Overload
from tests.helpers.drains import pod, request
from tests.helpers.observations import common
from tests.helpers.slots import Replica, filled

Row = dict[str, Any]
CAPACITY_RPS, DEADLINE_S, LONE_S = 20.0, 2.0, 0.15
CLOSED_S, BASELINE_S, OVER_S, RECOVERY_S, HELD_S = (10.0, 29.0), (30.0, 50.0), (50.0, 95.0), (100.0, 120.0), 130.0
CONCURRENCY = {"limit": 4, "reject": {"status": 503, "body": {"error": "busy"}}}
PROBES = {"readiness": "probes.readiness", "liveness": "probes.liveness"}
SPEC = {
    "containers": [
        {
            "name": "server",
            "ports": [{"containerPort": 8080}],
            "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 5},
        }
    ]
}


def refusal(given: Row, took_s: float = 0.004, status: int = 503, body: str = '{"error": "busy"}') -> Row:
    """The same request, refused."""
    ended = {"first_byte_s": given["sent_s"] + took_s, "ended_s": given["sent_s"] + took_s}
    return {**given, **ended, "status": status, "correct": 0, "body": body}


def late(given: Row, took_s: float) -> Row:
    """The same answer, later."""
    return {**given, "first_byte_s": given["sent_s"] + took_s, "ended_s": given["sent_s"] + took_s}


def broken(given: Row, error: str = "timeout", took_s: float = 30.0) -> Row:
    """The same request, without an answer."""
    return {**late(given, took_s), "first_byte_s": np.nan, "status": 0, "correct": 0, "error": error}


def overload(
    *,
    change: Callable[[Row], Row | None] | None = None,
    changes: tuple[Change, ...] = (),
    offered: float = 2.05,
    pods: tuple[Pod, ...] = (),
    replica: Replica | None = None,
    times: int = 2,
    lost_after: int = 0,
    slots: int = 4,
    **fields: Any,
) -> Overload:
    """All of it as it should be; `change` replaces or drops rows, `changes` come on top of two ready pods.

    `replica` is what has its slots filled, `times` as often; otherwise it has the four of CONCURRENCY.
    """
    if replica:
        held, filled_rows = filled(replica, slots, HELD_S, refusal, times, lost_after)
        made = [row for row in _rows(offered) if row["load"] not in (HOLD, EXTRA)] + filled_rows
    else:
        held, made = _held(), _rows(offered)
    becomes = change or (lambda row: row)
    changed = change is not None or replica is not None
    rows = [new for row in made if (new := becomes(row)) is not None] if changed else _ledger(offered)
    ready = [Change(1.0, "Pod", "ADDED", name, pod(name)) for name in ("a", "b")]
    given = common(rows, sorted([*ready, *changes], key=lambda each: each.at_s))
    given["pods"] = pods or (Pod("a", "10.0.0.1", "node", "a", SPEC), Pod("b", "10.0.0.2", "node", "b", SPEC))
    return Overload(
        **{
            **given,
            "capacity_rps": CAPACITY_RPS,
            "deadline_s": DEADLINE_S,
            "closed_s": CLOSED_S,
            "overload_s": OVER_S,
            "recovery_s": RECOVERY_S,
            "held_pod": "a",
            "held": held,
            **fields,
        }
    )


@cache
def _held() -> tuple[Held, ...]:
    return filled(Replica(4), 4, HELD_S, refusal)[0]


@cache
def _rows(offered: float) -> list[Row]:
    return list(rows_of(offered))


@cache
def _ledger(offered: float) -> Ledger:
    return ledger(_rows(offered))


def rows_of(offered: float) -> Iterator[Row]:
    """The loads in turn; in the overload as many are answered as fit, the rest refused."""

    def through(load: str, at_s: float, took_s: float, n: int) -> Row:
        return request(load, float(at_s), took_s, target="", pod="ab"[n % 2])

    jitter = np.random.default_rng(1)
    for n, at_s in enumerate(np.arange(CLOSED_S[0] - 2, CLOSED_S[1], 1 / CAPACITY_RPS)):
        yield through(CLOSED, at_s + jitter.uniform(0, 0.02), 0.16, n)
    for load, (start_s, end_s) in ((BASELINE, BASELINE_S), (RECOVERY, (OVER_S[1], RECOVERY_S[1]))):
        for n, at_s in enumerate(np.arange(start_s, end_s, 1 / 15)):
            yield through(load, at_s, LONE_S + jitter.uniform(0, 0.02), n)
    times = np.arange(*OVER_S, 1 / (offered * CAPACITY_RPS))
    admitted = np.diff(np.floor(np.arange(len(times) + 1) / offered)) > 0
    for n, at_s in enumerate(times):
        made = through(OVER, at_s, 0.16, n)
        yield made if admitted[n] else refusal(made, jitter.uniform(0.002, 0.01))
    for at_s in np.arange(5.0, HELD_S + 10, 0.25):
        yield request("beacon", float(at_s), 0.003, target="", pod="")
    yield from filled(Replica(4), 4, HELD_S, refusal)[1]
    for kind in ("readiness", "liveness"):
        for n in range(120):
            yield request(f"probe-{kind}", HELD_S + 0.8 + n / 20, 0.002, case=kind)
