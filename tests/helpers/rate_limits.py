"""A made-up rate limit: a real token bucket on each pod, saturated twice, asked for its Retry-After, and probed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from seatrial.ledger import Ledger, ledger
from seatrial.trials.rate_limit import FLOOD, SATURATE, RateLimited, Window
from seatrial.trials.sandbox.traffic import LONE
from seatrial.trials.silent_wait import EXHAUST, Patience
from seatrial.trials.slow_refill import SlowRefill
from tests.helpers.drains import request
from tests.helpers.observations import common
from tests.helpers.overloads import refusal

Row = dict[str, Any]
Admits = Callable[[list[float], float], list[bool]]
RATE, BURST = 10.0, 20.0
ANSWERED_S, REFUSED_S = 0.05, 0.005
LIMIT = {
    "per_second": {"value": "rate", "set": 10},
    "burst": {"value": "burst", "set": 20},
    "reject": {"status": 429, "body": {"error": "slow"}, "retry_after": True},
}


def bucket(burst: float = BURST, factor: float = 1.0, tokens: float | None = None, step_s: float = 0.0) -> Admits:
    """What a bucket admits of these arrivals: it holds `burst`, and is refilled at `factor` times the rate.

    It has `tokens` at first, else it is full. With a step, tokens come when a clock strikes, every `step_s`.
    """

    def struck(at_s: float) -> float:
        return step_s * (at_s // step_s) if step_s else at_s

    def admits(arrivals_s: list[float], rate: float) -> list[bool]:
        left, at_s, told = burst if tokens is None else tokens, struck(arrivals_s[0]), []
        for arrival_s in arrivals_s:
            left, at_s = min(burst, left + factor * rate * (struck(arrival_s) - at_s)), struck(arrival_s)
            told.append(left >= 1)
            left -= left >= 1
        return told

    return admits


def rate_limited(
    *,
    admits: Admits | None = None,
    change: Callable[[Row], Row | None] | None = None,
    demand: float = 3.6,
    retry_after: str = "1",
    waits: tuple[Patience, ...] | None = None,
    windows: int = 2,
    probe_tokens: bool = False,
    pods: tuple[str, ...] = ("a", "b"),
    rate: float = RATE,
    answered_s: float = ANSWERED_S,
    since_first: bool = True,
    slow: SlowRefill | None = None,
) -> RateLimited:
    """All of it as it should be; `admits` is the bucket, `probe_tokens` lets probes take from it."""
    made = (admits or bucket_as_configured, demand, retry_after, windows, probe_tokens, pods, rate, answered_s)
    kept = [new for row in _rows(*made) if (new := change(row)) is not None] if change else _ledger(*made)
    return RateLimited(
        **common(kept),
        windows=tuple(
            Window(n, f"w{n}", (n + 1) * rate, BURST, _start_s(n), _start_s(n) + 20.0, since_first=since_first)
            for n in range(windows)
        ),
        waits=patience() if waits is None else waits,
        probed=pods,
        slow=slow,
    )


def slow_refill(*waits: Patience, why_not: str = "") -> SlowRefill:
    """A third rate, at which an honest limiter says four seconds, then three; its refusals are not in the ledger."""
    honest = tuple(
        Patience(n, False, promised_s, promised_s + 0.05, True) for n, promised_s in enumerate((4.0, 3.0, 4.0, 3.0))
    )
    return SlowRefill(0.3, "ns-slow", "s", () if why_not else waits or honest, why_not)


def bucket_as_configured(arrivals_s: list[float], rate: float) -> list[bool]:
    """The healthy limiter."""
    return bucket()(arrivals_s, rate)


@cache
def _ledger(*made: Any) -> Ledger:
    return ledger(_rows(*made))


@cache
def _rows(
    admits: Admits,
    demand: float,
    retry_after: str,
    windows: int,
    probe_tokens: bool,
    pods: tuple[str, ...],
    rate: float,
    answered_s: float,
) -> list[Row]:
    rows: list[Row] = []
    for index in range(windows):
        rows += _saturated(index, (index + 1) * rate, admits, demand, retry_after, answered_s)
    for index in range(15):
        rows += _exhausted(index, retry_after)
    for pod in pods:
        rows += _flooded(pod, probe_tokens, retry_after, rate)
    return rows


def patience(promised_s: float = 1.0, admitted: bool = True, true_s: float = 0.45) -> tuple[Patience, ...]:
    """Ten waits as long as promised, and five shorter ones that find the true wait."""
    honest = [Patience(n, False, promised_s, promised_s + 0.05, admitted) for n in range(10)]
    return (*honest, *(Patience(10 + n, True, promised_s, true_s, True) for n in range(5)))


def _start_s(index: int) -> float:
    return 20.0 + 100.0 * index


def _answer(row: Row, admitted: bool, retry_after: str) -> Row:
    headers = f'{{"retry-after": "{retry_after}"}}' if retry_after else "{}"
    return row if admitted else {**refusal(row, status=429, body='{"error": "slow"}'), "headers": headers}


def _saturated(
    index: int, rate: float, admits: Admits, demand: float, retry_after: str, answered_s: float
) -> Iterator[Row]:
    """The first pod is asked twelve lone cases before, and has the time to be full again."""
    start_s = _start_s(index)
    lone = [start_s - 2.5 - 0.21 * n for n in range(12, 0, -1)] if index == 0 else []
    crowd = [start_s + 0.002 * n for n in range(int(BURST) + 5)]
    gaps = np.random.default_rng(index).exponential(1 / (demand * rate), int(20 * demand * rate))
    arrivals_s = [*lone, *crowd, *(at for at in (crowd[-1] + np.cumsum(gaps)).tolist() if at < start_s + 20)]
    for n, (at_s, admitted) in enumerate(zip(arrivals_s, admits(arrivals_s, rate), strict=True)):
        load, took_s = LONE if n < len(lone) else SATURATE, answered_s if admitted else REFUSED_S
        made = request(load, at_s, took_s, target=f"w{index}", pod=f"w{index}", group=index)
        yield _answer(made, admitted, retry_after)


def _exhausted(index: int, retry_after: str) -> Iterator[Row]:
    for n in range(30):
        made = request(EXHAUST, 50.0 + 3 * index + 0.003 * n, 0.05, target="w0", pod="w0", group=index)
        yield _answer(made, n < 20, retry_after)


def _flooded(pod: str, probe_tokens: bool, retry_after: str, rate: float) -> Iterator[Row]:
    start_s, end_s = 200.0, 207.5 if rate >= RATE else 215.0
    arrivals = [(start_s + 0.02 * n, FLOOD) for n in range(int((end_s - start_s) / 0.02))]
    for kind in ("readiness", "liveness"):
        arrivals += [(start_s + 0.5 + 0.05 * n + 0.001, f"probe-{kind}") for n in range(120)]
    tokens, last_s = 0.0, start_s
    for at_s, load in sorted(arrivals):
        tokens, last_s = min(BURST, tokens + rate * (at_s - last_s)), at_s
        made = request(load, at_s, 0.005, target=pod, pod=pod)
        if load == FLOOD:
            yield _answer(made, tokens >= 1, retry_after)
            tokens -= tokens >= 1
        else:
            tokens -= probe_tokens and tokens >= 1
            yield made
