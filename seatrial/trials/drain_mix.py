"""How much a pod that is about to be deleted is given to do (`seatrial.trials.drain_loads` says when each is sent).

Where a concurrency limit is in force, there is as much as fits: work that the limit refuses is not in flight, and the
request that puts the drain budget to the test has to be accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from seatrial.ledger import Ledger

SERVICE_RPS = 10.0
LIGHT = 0.3  # of what both replicas carry
CONNECT, NEAR_BUDGET, STREAM, FURTHER = "connect", "nearly", "stream", "further"
EARLY, EARLY_AT_OTHER = "early", "early-at-other"  # near the budget, and old at SIGTERM; the same at a pod that stays
LARGE, LARGE_HALF_SENT = "large", "large-half-sent"
STREAMS_BEGIN_S = (0.8, 0.65, 0.5, 0.35)  # before SIGTERM is due
LATE_AT_MOST = 0.05  # of the budget: the request near it in the first round, for the next ones to come nearer
NEARLY, NEAREST = 0.78, 0.87  # of the drain budget: the work that the longest request still has when SIGTERM comes
LEAST_ROOM_S = 0.3  # of the budget, beyond NEAREST
LARGE_IN = 8  # slots: with fewer there is no place for large ones
EARLY_IN = 10  # slots: with fewer the early one would take the place of one that counts as in flight
PLENTY = 24  # slots, with which nothing of the mix meets the limit while it waits for SIGTERM


@dataclass(frozen=True, slots=True)
class Further:
    """An API beside the default one: so many of its cases are sent to a victim around SIGTERM.

    `takes_long`: its long cases were seen to work, of their own length and near the budget.
    """

    name: str
    count: int
    takes_long: bool = False


@dataclass(frozen=True, slots=True)
class Mix:
    """How much of each load the victim gets in a round, and how long before SIGTERM."""

    longs: int = 8
    kept: int = 4
    half_sent: int = 2
    streams: int = len(STREAMS_BEGIN_S)
    nearly_before_s: tuple[float, ...] = (0.15,)
    shorts_before_s: float = 0.3
    # After the request near the budget: what large ones take must not hold it up.
    large_before_s: tuple[float, ...] = (0.14, 0.1)
    large_half_sent_before_s: tuple[float, ...] = (0.12,)
    early: bool = True
    further: tuple[Further, ...] = ()
    asks: str = ""  # the API that is asked for what takes seconds; "" the default one
    nearly: float = NEARLY  # of the budget
    service_rps: float = SERVICE_RPS

    @staticmethod
    def fitting(slots: int | None, replicas: int, lone_s: float, *, streams: bool, large: bool) -> Mix:
        """What a replica of so many slots can take, with one of them left for the request near the budget.

        That one is sent before the large and the short ones, which then fill what is left. With one or two slots it is
        sent three times: a request of the Service's may be there already.
        """
        if slots is None or slots >= PLENTY:
            return Mix() if large else Mix(large_before_s=(), large_half_sent_before_s=())
        kept = min(4, slots // 4)
        large, early = large and slots >= LARGE_IN, slots >= EARLY_IN
        held = 3 + kept + early + 2 * large
        streamed = min(len(STREAMS_BEGIN_S), max(0, slots - held)) if streams else 0
        nearly_before_s = (0.3,) if slots >= 3 else (0.5, 0.4, 0.3)
        return Mix(
            longs=min(8, max(0, slots - held - streamed)),
            kept=kept,
            half_sent=2 if slots >= 3 else 0,
            streams=streamed,
            nearly_before_s=nearly_before_s,
            shorts_before_s=min(nearly_before_s) - 0.05,
            large_before_s=(0.28,) if large else (),
            large_half_sent_before_s=(0.27,) if large else (),
            early=early,
            service_rps=min(SERVICE_RPS, LIGHT * slots * replicas / max(lone_s, 0.001)),
        )

    def of_round(self, index: int, nearly: float) -> Mix:
        """What round `index` gets, and how much of the budget (0-1) its request near it still needs at SIGTERM.

        From the second round on each further API in turn is the only one that is asked for what takes seconds: a
        server that waits for the other APIs alone waits for it, too, as long as they have work of that length. So there
        are no large ones, either, which take seconds on a machine without time. It is asked for nothing longer than it
        was seen to answer.
        """
        takers = [each for each in self.further if each.takes_long]
        if not 1 <= index <= len(takers):
            return replace(self, nearly=nearly)
        return replace(self, asks=takers[index - 1].name, large_before_s=(), large_half_sent_before_s=())


def nearly_after(rows: Ledger, sigterm_due_s: float, budget_s: float) -> float:
    """How much of the budget (0-1) the next requests near it may need, after what became of the first round's `rows`.

    It is NEAREST where the first one came well within the budget. Where machine or company delayed it, what is asked of
    the next ones stays: they would be cut when the whole budget is spent, and show nothing.
    """
    nearly = rows.of(NEAR_BUDGET)
    nearly = nearly.select(nearly.right)
    took_s = float(nearly.ended_s.max()) - sigterm_due_s if len(nearly) else None
    room_s = (1 - NEAREST) * budget_s
    in_time = took_s is not None and took_s - NEARLY * budget_s <= LATE_AT_MOST * budget_s
    return NEAREST if in_time and room_s >= LEAST_ROOM_S else NEARLY
