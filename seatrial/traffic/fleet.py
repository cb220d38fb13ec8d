"""Generators on different nodes that work as one: what goes to a Service sets out from each of them in turn.

Each node has a proxy of its own, which hears of a changed endpoint at a time of its own: requests of one node tell
nothing of what clients on another would have met.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from seatrial.ledger import Ints, Ledger, joined
from seatrial.observation import GeneratorHealth
from seatrial.traffic.generator import Generator, Run
from seatrial.traffic.plan import Load, OpenLoop, PodTarget


class Fleet:
    """One generator or more. Open-loop requests to a Service are dealt out, but those that share one connection.

    All other loads are carried by the first: a pod's own address is the same from everywhere, and clients that wait
    for an answer are few. Every method raises ClusterError when a generator cannot be reached or refuses.
    """

    def __init__(self, members: Sequence[Generator]) -> None:
        self._members = tuple(members)
        self._self_test: tuple[str, ...] = ()

    def prepare(self) -> tuple[str, ...]:
        """Compare all clocks, test every member; what their self-tests found wrong."""
        with ThreadPoolExecutor(len(self._members)) as pool:
            list(pool.map(Generator.synchronise, self._members))
            found = list(pool.map(Generator.self_test, self._members))
        self._self_test = tuple(wrong for one in found for wrong in one)
        return self._self_test

    def start(self, loads: Sequence[Load]) -> FleetRun:
        """Begin to send, times on the run's clock; what is already due is sent at once and counts as lag."""
        return self._started(loads, Generator.start)

    def start_now(self, loads: Sequence[Load]) -> FleetRun:
        """Begin to send; the loads' times count from the moment at which each member has them."""
        return self._started(loads, Generator.start_now)

    def _started(self, loads: Sequence[Load], begin: Callable[[Generator, Sequence[Load]], Run]) -> FleetRun:
        shares = dealt(loads, len(self._members))
        parts = tuple(
            (place, begin(member, share))
            for place, (member, share) in enumerate(zip(self._members, shares, strict=True))
            if share or place == 0
        )
        return FleetRun(parts, len(self._members), tuple(dict.fromkeys(load.name for load in loads)))

    def health(self, *runs: FleetRun) -> GeneratorHealth:
        """Whether these runs were sent as planned, so far; of lags and bounds the worst member's."""
        parts = []
        for place, member in enumerate(self._members):
            if its := [run for whole in runs for at, run in whole.parts if at == place]:
                parts.append(member.health(*its))
        return replace(weakest(parts), self_test=self._self_test)

    def close(self) -> None:
        """End every generator."""
        for member in self._members:
            member.close()


@dataclass(frozen=True, slots=True)
class FleetRun:
    """Loads that were started together; `parts` are the members' runs, with the members' places."""

    parts: tuple[tuple[int, Run], ...]
    members: int
    loads: tuple[str, ...] = ()  # their names

    @property
    def name(self) -> str:
        """Of its own among the runs of a fleet: the first member has a part in each, if an empty one."""
        return self.parts[0][1].name

    def collect(self, timeout_s: float) -> Ledger:
        """Wait until every attempt has ended; all rows. Raises InvalidMeasurement after timeout_s."""
        deadline_s = time.monotonic() + timeout_s
        return self._whole([run.collect(max(0.0, deadline_s - time.monotonic())) for _, run in self.parts])

    def so_far(self, within_s: float) -> Ledger:
        """Every attempt that has ended within so many seconds from now; those still open are not in it."""
        return self._whole([run.so_far(within_s) for _, run in self.parts])

    def fresh(self) -> tuple[Ledger, bool]:
        """The rows that have ended since the last call, and whether those were the last; before `collect`."""
        found = [run.fresh() for _, run in self.parts]
        return self._whole([rows for rows, _ in found]), all(finished for _, finished in found)

    def stop(self) -> None:
        """Send nothing more; what is open finishes."""
        for _, run in self.parts:
            run.stop()

    def _whole(self, ledgers: Sequence[Ledger]) -> Ledger:
        # Every generator numbers its own connections from 1: brought apart, for a number is one connection.
        return joined(
            replace(rows, connection=apart(rows.connection, place, self.members))
            for (place, _), rows in zip(self.parts, ledgers, strict=True)
        )


def in_turns(load: OpenLoop, place: int, members: int) -> OpenLoop:
    """Every arrival of `load` whose turn it is for one of `members` that go round, the first at place 0."""
    turns = slice(place, None, members)
    return replace(load, arrivals_s=load.arrivals_s[turns], picks=load.picks[turns], groups=load.groups[turns])


def dealt(loads: Sequence[Load], members: int) -> list[list[Load]]:
    """The loads of each member, `members` lists: every attempt of `loads` is in exactly one of them."""
    shares: list[list[Load]] = [[] for _ in range(members)]
    for load in loads:
        if isinstance(load, OpenLoop) and load.connection != "keep-alive" and not isinstance(load.target, PodTarget):
            for place, share in enumerate(shares):
                turn = in_turns(load, place, members)
                if len(turn.arrivals_s):
                    share.append(turn)
        else:
            shares[0].append(load)
    return shares


def weakest(parts: Sequence[GeneratorHealth]) -> GeneratorHealth:
    """Several generators, or several stages of one, taken together: counts added, of everything else the worst."""
    return GeneratorHealth(
        scheduled=sum(part.scheduled for part in parts),
        sent=sum(part.sent for part in parts),
        start_lag_p99_s=max(part.start_lag_p99_s for part in parts),
        start_lag_max_s=max(part.start_lag_max_s for part in parts),
        loop_lag_max_s=max(part.loop_lag_max_s for part in parts),
        clock_bound_s=max(part.clock_bound_s for part in parts),
        self_test=tuple(found for part in parts for found in part.self_test),
        lag_p99_bound_s=min(part.lag_p99_bound_s for part in parts),
        cpu_s=sum(part.cpu_s for part in parts),
        planned_s=max(part.planned_s for part in parts),
    )


def apart(connections: Ints, place: int, members: int) -> Ints:
    """One member's numbers of its connections, as no other member has them."""
    numbers: Ints = np.where(connections < 0, connections, connections * members + place)
    return numbers
