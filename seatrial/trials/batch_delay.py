"""How long requests wait for company: lone ones by their median, and none of them, nor of a trickle, for ever.

A request that the generator sent late comes close to the next. Neither of the two counts for the median: they may have
had company. Full batches tell what a request takes that waits for nobody. Two looks at most, the second with three
times the lone requests. Source: contract `batching.max_delay_ms`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seatrial.ledger import Ledger, Mask
from seatrial.stats import Decision
from seatrial.stats.proportions import judge_proportion
from seatrial.stats.quantiles import quantile

FULL, LONE, TRICKLE = "full", "lone", "trickle"
LONE_ROWS = (60, 120)  # at the first look, and added at the second
ALONE_RATIO = 0.9  # of these rows, at least so many have to have been alone
SPACING_KEPT = 0.9  # of the spacing
MARGIN_S = 0.02


@dataclass(frozen=True, slots=True)
class Patience:
    """When a request that is hardly accompanied is too late, whatever the median says."""

    lone_s: float
    trickle_s: float

    @staticmethod
    def of(full: Ledger, delay_s: float) -> Patience:
        """From full batches, which do not wait: what they take at the 95th percentile comes on top."""
        took_s = full.latency_s[full.right]
        p95_s = quantile(took_s, 0.95) if len(took_s) else 0.0
        return Patience(max(1.0, 10 * delay_s) + p95_s, max(0.2, 2 * delay_s) + p95_s)


@dataclass(frozen=True, slots=True)
class TimeWaited:
    """What lone and trickled requests show by the given look."""

    engine_s: float  # the median of a request in a full batch; NaN without one
    bound_s: float
    lone: int  # those that were alone
    above: int
    median: Decision
    late_looks: tuple[int, ...]  # the looks in which some request was too late
    late: Ledger

    @property
    def settled(self) -> bool:
        """A further look would change nothing."""
        return self.median != "between" and not self.late_looks


def alone(lone: Ledger, spacing_s: float) -> Mask:
    """Which lone requests were sent, within their look, as far from the others as planned, shape (n,)."""
    same_look = np.diff(lone.group) == 0
    close = same_look & (np.diff(lone.sent_s) < SPACING_KEPT * spacing_s)
    kept: Mask = ~(np.append(close, False) | np.append(False, close))[: len(lone)]
    return kept


def time_waited(rows: Ledger, delay_s: float, spacing_s: float, looks: int) -> TimeWaited:
    """Judge the loads FULL, LONE and TRICKLE; a request without an answer counts as too late."""
    full, lone = rows.of(FULL), rows.of(LONE)
    lone = lone.select(alone(lone, spacing_s))
    took_s = full.latency_s[full.right]
    engine_s = float(np.median(took_s)) if len(took_s) else float("nan")
    patience, bound_s = Patience.of(full, delay_s), engine_s + delay_s + MARGIN_S
    above = int((~lone.right | (lone.latency_s > bound_s)).sum())
    median = judge_proportion(above, len(lone), 0.5, look=1 if looks == 1 else 2) if len(lone) else "between"
    too_late = ((rows.load == rows.code(LONE)) & ~(rows.latency_s <= patience.lone_s)) | (
        (rows.load == rows.code(TRICKLE)) & ~(rows.latency_s <= patience.trickle_s)
    )
    unanswered = np.isin(rows.load, [rows.code(LONE), rows.code(TRICKLE)]) & (rows.error != rows.code(""))
    late = rows.select(too_late | unanswered)
    return TimeWaited(engine_s, bound_s, len(lone), above, median, tuple(sorted(set(late.group.tolist()))), late)
