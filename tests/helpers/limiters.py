"""Made-up limiters on a made-up clock, and a sandbox that asks them: what a trial of the rate limit needs of one."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from seatrial.contract import Contract
from seatrial.ledger import Ledger, ledger
from seatrial.trials.sandbox.traffic import LONE
from tests.helpers.drains import request
from tests.helpers.observations import common
from tests.helpers.overloads import refusal

Header = Callable[[float, float], str]  # a refusal's Retry-After, from the true wait and the moment
WALL_ORIGIN_S = 1000.0


def whole_seconds(wait_s: float, at_s: float) -> str:
    """What an honest limiter says."""
    return str(max(1, math.ceil(wait_s)))


class Limiter:
    """A token bucket that is full at first, and says by `header` how long to wait."""

    def __init__(self, rate: float, burst: float, header: Header = whole_seconds) -> None:
        self.rate, self.burst, self.header = rate, burst, header
        self.tokens, self.at_s = burst, 0.0

    def answer(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row as it is where a token is left, or refused."""
        at_s = row["sent_s"]
        self.tokens, self.at_s = min(self.burst, self.tokens + self.rate * (at_s - self.at_s)), at_s
        if self.tokens >= 1 - 1e-9:
            self.tokens -= 1
            return row
        said = {"retry-after": self.header((1 - self.tokens) / self.rate, at_s)}
        return {**refusal(row, status=429, body='{"error": "slow"}'), "headers": json.dumps(said)}


class Traffic:
    """Sends loads to limiters, by the names of their pods, on a clock that only goes on while it waits."""

    def __init__(self, limiters: dict[str, Limiter], answer_s: float = 0.16) -> None:
        self.limiters, self.answer_s = limiters, answer_s
        self.now_s = 50.0
        self.sent: list[dict[str, Any]] = []

    def start(self, *loads: Any) -> list[Any]:
        return [(load, 0.0) for load in loads]

    def start_now(self, *loads: Any) -> list[Any]:
        return [(load, self.now_s + 0.02) for load in loads]

    def send(self, *loads: Any) -> Ledger:
        return self.collect(self.start(*loads))

    def collect(self, run: list[Any]) -> Ledger:
        """Every request of a run, in the order of their times; the clock goes on to the last answer."""
        rows = sorted(
            (
                request(
                    load.name, start_s + at_s, self.answer_s, target=load.target.pod, pod=load.target.pod, group=group
                )
                for load, start_s in run
                for at_s, group in zip(load.arrivals_s, load.groups or [0] * len(load.arrivals_s), strict=True)
            ),
            key=lambda row: row["sent_s"],
        )
        answered = [self.limiters[row["pod"]].answer(row) for row in rows]
        self.sent += answered
        self.now_s = max([self.now_s, *(row["ended_s"] + 0.02 for row in answered)])
        return ledger(answered)

    def measure_lone(self, target: Any, cases: Any, count: int) -> None:
        """One after the other, as an idle pod is asked."""
        for _ in range(count):
            load = SimpleNamespace(name=LONE, target=target, arrivals_s=[0.0], groups=[0])
            self.collect(self.start_now(load))


class Pods:
    """The pods of a made-up release, Ready at once."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self.names = names

    def wait_pods(self, count: int, timeout_s: float) -> tuple[Any, ...]:
        assert count == len(self.names)
        return tuple(SimpleNamespace(name=name, spec={"containers": [{"name": "server"}]}) for name in self.names)

    def wait_replaced(self, before: Any, timeout_s: float) -> bool:
        return True

    def target(self, pod: Any) -> Any:
        return SimpleNamespace(pod=pod.name)


class Sandbox:
    """One with a release whose values are a rate and a burst; each revision has limiters of its own."""

    def __init__(self, context: Any, name: str) -> None:
        self.context, self.name, self.namespace = context, name, f"ns-{name}"
        self.traffic, self.release = context.traffic, self
        self.pods, self.revisions = Pods(), 0

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *raised: object) -> None:
        return None

    def install(self, values: Any, *, replicas: int, wait: bool = True) -> None:
        self.revisions += 1
        self.pods.names = tuple(f"{self.name}-{self.revisions}-{n}" for n in range(replicas))
        for name in self.pods.names:
            self.traffic.limiters[name] = Limiter(values["rate"], values["burst"], self.context.header)

    upgrade = install

    def workload(self) -> Pods:
        return self.pods

    def now(self) -> float:
        return float(self.traffic.now_s)

    def sleep_until(self, at_s: float) -> None:
        self.traffic.now_s = max(self.traffic.now_s, at_s)

    def note(self, **found: Any) -> None:
        return None

    def seen(self) -> dict[str, Any]:
        own = self.traffic.sent if self.name == "rate" else []
        return {
            **common(own),
            "trial": self.name,
            "namespace": self.namespace,
            "wall_origin_s": WALL_ORIGIN_S,
            "marks": {},
            "dependencies": (),
        }


def context(promised: Contract, header: Header = whole_seconds) -> Any:
    """Of a context, what a trial of the rate limit asks of it."""
    return SimpleNamespace(
        contract=promised,
        header=header,
        traffic=Traffic({}),
        values=lambda values: {"rate": 10.0, "burst": 20.0, **values},
        random=random.Random,
        clock=SimpleNamespace(wall_origin_s=WALL_ORIGIN_S),
        probe_agent="kube-probe",
    )
