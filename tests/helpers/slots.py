"""A made-up replica that works on so many requests at once, and what callers see who fill its slots."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from seatrial.trials.held_slots import EXTRA, HOLD, Held
from tests.helpers.drains import request

Row = dict[str, Any]
ROUND_TRIP_S = 0.003
AGAIN_AFTER_S = 5.0  # from the end of the work of one time to the beginning of the next


@dataclass
class Replica:
    """`slots` is how many it takes at a time, `refused_s` ago the last was refused; others wait, then are refused.

    At most `queue` wait at a time. A slot is given back `lag_s` after the answer; `lost` never are.
    """

    slots: int | Callable[[float], int]
    wait_s: float = 0.0
    queue: int = 10**6
    case_s: float = 0.15
    lag_s: float = 0.0
    slowed: float = 0.0  # how much longer each request takes for each other that is there
    lost: int = 0
    taken: int = 0
    refused_at_s: float = float("-inf")
    waiting: deque[int] = field(default_factory=deque)

    def rows(self, arrivals: Iterable[tuple[Row, float]], refusal: Callable[[Row, float], Row]) -> Iterator[Row]:
        """What becomes of requests, each with the work that it is; `refusal` makes one of a request and its time."""
        asked = list(arrivals)
        order = itertools.count()
        events = [(given["sent_s"], next(order), "comes", n) for n, (given, _) in enumerate(asked)]
        heapq.heapify(events)

        def begin(n: int, at_s: float) -> None:
            given, work_s = asked[n]
            self.taken += 1
            took_s = work_s * (1 + self.slowed * (self.taken - 1))
            done[n] = {**given, "first_byte_s": at_s + took_s, "ended_s": at_s + took_s + ROUND_TRIP_S}
            heapq.heappush(events, (at_s + took_s + self.lag_s, next(order), "ends", n))

        done: dict[int, Row] = {}
        while events:
            at_s, _, what, n = heapq.heappop(events)
            if what == "comes" and self.taken + self.lost < self._at(at_s):
                begin(n, at_s)
            elif what == "comes" and self.wait_s and len(self.waiting) < self.queue:
                self.waiting.append(n)
                heapq.heappush(events, (at_s + self.wait_s, next(order), "refused", n))
            elif what == "comes" or (what == "refused" and n in self.waiting):
                if n in self.waiting:
                    self.waiting.remove(n)
                self.refused_at_s = at_s
                done[n] = refusal(asked[n][0], at_s - asked[n][0]["sent_s"] + ROUND_TRIP_S)
            elif what == "ends":
                self.taken -= 1
                if self.waiting and self.taken + self.lost < self._at(at_s):
                    begin(self.waiting.popleft(), at_s)
        return iter(done.values())

    def _at(self, at_s: float) -> int:
        return self.slots(at_s - self.refused_at_s) if callable(self.slots) else self.slots


def filled(
    replica: Replica, slots: int, at_s: float, refusal: Callable[..., Row], times: int = 2, lost_after: int = 0
) -> tuple[tuple[Held, ...], list[Row]]:
    """A pod's slots filled so often, the first time for 8 s; `lost_after` slots are lost after that."""
    held, rows, start_s = [], [], at_s
    for index in range(times):
        work_s, extra_s = (8.0, 6.3) if index == 0 else (2.15, 1.0)
        long = [(request(HOLD, start_s, group=index, case="long"), work_s + 0.2 * n / slots) for n in range(slots + 4)]
        first_s, count = start_s + 0.65, round(extra_s / 0.03)
        extra = [(request(EXTRA, first_s + n * 0.03, group=index), replica.case_s) for n in range(count)]
        rows += replica.rows([*long, *extra], refusal)
        held.append(Held(index, work_s))
        start_s = max(row["ended_s"] for row in rows) + AGAIN_AFTER_S
        replica.lost += lost_after if index == 0 else 0
    return tuple(held), rows
