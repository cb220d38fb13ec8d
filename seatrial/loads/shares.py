"""A schedule divided among workers: together they send what one alone would have sent. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from seatrial.traffic.fleet import in_turns
from seatrial.traffic.plan import ClosedLoop, Load, OpenLoop

# Seeds of one stage and the next differ by one: those of a stage's workers lie far from all of them.
_SEEDS_APART = 2**32


@dataclass(frozen=True, slots=True)
class Part:
    """Which of `members` shares of a schedule (from 0), and second 0 of the run's clock on time.monotonic()."""

    place: int
    members: int
    origin_s: float


def shared(loads: Sequence[Load], place: int, members: int) -> list[Load]:
    """One worker's share of a scenario's loads.

    Every arrival of an open loop is in exactly one share, in turns; where all of them have one connection, the first
    worker has that. The clients of a closed loop are divided; those of different workers draw from different seeds.
    """
    share: list[Load] = []
    for load in loads:
        if isinstance(load, ClosedLoop):
            if clients := len(range(place, load.concurrency, members)):
                share.append(replace(load, concurrency=clients, seed=load.seed + place * _SEEDS_APART))
        elif isinstance(load, OpenLoop):
            if load.connection != "keep-alive":
                share.append(in_turns(load, place, members))
            elif place == 0:
                share.append(load)
        else:
            raise TypeError(f"expected a load of a scenario, found {type(load).__name__}")
    return share


def requests_in(loads: Sequence[Load]) -> int:
    """How many requests of open loops."""
    return sum(len(load.arrivals_s) for load in loads if isinstance(load, OpenLoop))


def clients_in(loads: Sequence[Load]) -> int:
    """How many clients of closed loops, those of all stages added."""
    return sum(load.concurrency for load in loads if isinstance(load, ClosedLoop))


def over_s(loads: Sequence[Load]) -> float:
    """By when the last answer has come or its time is up, on the loads' clock; a generator that is late adds to it."""
    return max((_over_s(load) for load in loads), default=0.0)


def _over_s(load: Load) -> float:
    if isinstance(load, ClosedLoop):
        return load.end_s + load.timeout_s
    if isinstance(load, OpenLoop):
        # On one connection each request waits for the answers to all before it.
        in_line = len(load.arrivals_s) if load.connection == "keep-alive" else 1
        return float(max(load.arrivals_s, default=0.0)) + in_line * load.timeout_s
    raise TypeError(f"expected a load of a scenario, found {type(load).__name__}")
