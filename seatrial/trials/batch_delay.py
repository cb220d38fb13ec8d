"""How long requests wait for company: lone ones by their median, and none of them, nor of a trickle, for ever.

What a lone request waits may depend on when a batch was closed before it. So they are sent after gaps of all lengths,
in random order, and judged by class: soon, later and long after the answer to the one before. Of a trickle those are
judged that opened a batch; they wait the longest. Those that come after a quiet time are a class of their own
(`seatrial.trials.quiet_time`).

A request that the generator sent late comes close to the next. Neither of the two counts for the median: they may have
had company. Full batches tell what a request takes that waits for nobody; and where work grows with the batch, so do
those of a trickle that came last into theirs, which wait the least. Two looks at most, the second with three
times the lone requests. Source: contract `batching.max_delay_ms`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from random import Random

import numpy as np

from seatrial.ledger import Floats, Ints, Ledger, Mask
from seatrial.stats import Decision
from seatrial.stats.proportions import judge_proportion
from seatrial.stats.quantiles import quantile
from seatrial.trials import quiet_time
from seatrial.trials.quiet_time import QUIET, QUIET_S
from seatrial.trials.trickled_batches import batches_of_a_trickle, behind_another

FULL, LONE, TRICKLE = "full", "lone", "trickle"
LONE_ROWS = (60, 120)  # at the first look, and added at the second
ALONE_RATIO = 0.9  # of these rows, at least so many have to have been alone
SPACING_KEPT = 0.9  # of the spacing
MARGIN_S = 0.02
LEAST_GAP_S, LEAST_GAP_OF_WORK, MOST_GAP_S = 0.01, 0.1, 0.4
LONG_GAP_DELAYS, MOST_GAP_DELAYS = 2.2, 2.6
CLASSES = 3  # of gaps
ANY_GAP = "lone request"
AFTER_QUIET = f"lone request sent after {QUIET_S:g} s in which nothing was asked"
AFTER_A_PAUSE = 1.1  # times as long, at most, takes the work of a lone request that is as long as that of a trickle
WANTED_OF_A_TRICKLE = 20  # requests that opened its batches, or came last into them: the median of fewer says little


@dataclass(frozen=True, slots=True)
class Gaps:
    """How long after the answer to a lone request the next is sent; an answer is expected after work and delay.

    Three classes, the first from `least_s` to the delay, the last from 2.2 delays to `most_s`. Where the delay is too
    short for that, from `least_s` to `most_s` in three steps by the same factor.
    """

    work_s: float
    delay_s: float
    least_s: float
    most_s: float

    @staticmethod
    def of(full: Ledger, delay_s: float) -> Gaps:
        """From full batches, which do not wait. The shortest gap is no shorter than answers differ by."""
        took_s = full.latency_s[full.right]
        work_s = float(np.median(took_s)) if len(took_s) else 0.0
        least_s = LEAST_GAP_S + LEAST_GAP_OF_WORK * work_s
        return Gaps(work_s, delay_s, least_s, max(MOST_GAP_S, MOST_GAP_DELAYS * delay_s, 2 * least_s))

    @property
    def answer_s(self) -> float:
        """How long after it was asked for an answer is expected."""
        return self.work_s + self.delay_s

    def edges_s(self) -> tuple[float, ...]:
        """Where each class begins, and the last ends."""
        if self.delay_s > 1.5 * self.least_s:
            return (self.least_s, self.delay_s, LONG_GAP_DELAYS * self.delay_s, self.most_s)
        step = (self.most_s / self.least_s) ** (1 / CLASSES)
        return (self.least_s, self.least_s * step, self.least_s * step**2, self.most_s)

    def drawn(self, count: int, random: Random) -> list[float]:
        """Gaps in random order, as many of each class as of any other.

        The shortest follow the longest: before a service that waits for twice the delay soon after a batch, a request
        would else have the next for company, which then waits for less.
        """
        soon, later, long = (
            [low_s * (high_s / low_s) ** random.random() for _ in range(number, count, CLASSES)]
            for number, (low_s, high_s) in enumerate(pairwise(self.edges_s()))
        )
        paired = [gap_s for pair in zip(long, soon, strict=False) for gap_s in pair]
        return [*paired, *soon[len(long) :], *later]

    def classes(self, lone: Ledger) -> Ints:
        """The class of each lone request, shape (n,); the first of a look comes long after another."""
        spacing_s = spacing(lone)
        gaps_s = np.where(np.isnan(spacing_s), np.inf, spacing_s - self.answer_s)
        found: Ints = np.digitize(gaps_s, self.edges_s()[1:-1])
        return found

    def called(self, number: int) -> str:
        """A class, in words."""
        first_s, last_s = self.edges_s()[number : number + 2]
        return f"{ANY_GAP} sent {first_s * 1000:.0f} to {last_s * 1000:.0f} ms after an answer"


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
class Waited:
    """Requests that are judged by their median: `above` of them took longer than the bound."""

    called: str
    rows: Ledger
    work_s: float  # what one of them takes without waiting, at most
    bound_s: float
    above: int
    median: Decision

    @property
    def median_s(self) -> float:
        """The median latency."""
        return float(np.median(self.rows.latency_s))


@dataclass(frozen=True, slots=True)
class TimeWaited:
    """What lone and trickled requests show by the given look."""

    engine_s: float  # the median of a request in a full batch; NaN without one
    lone: tuple[Waited, ...]  # by class; those that were alone
    firsts: Waited | None  # of a trickle, that opened a batch; None of too few
    quiet: Waited | None  # that came after a quiet time; None without any
    late: Ledger  # too late, whatever the median says
    unexcused: Ledger  # of those, the ones that waited behind no other batch

    @property
    def late_looks(self) -> tuple[int, ...]:
        """The looks in which some request was too late."""
        return tuple(sorted(set(self.late.group.tolist())))

    @property
    def failing_looks(self) -> tuple[int, ...]:
        """The looks in which one was that had no other batch before it."""
        return tuple(sorted(set(self.unexcused.group.tolist())))

    @property
    def settled(self) -> bool:
        """A further look would change nothing."""
        return self.median != "between" and not self.late_looks

    @property
    def parts(self) -> tuple[Waited, ...]:
        """All that is judged by its median."""
        return (*self.lone, *(part for part in (self.firsts, self.quiet) if part))

    @property
    def worst(self) -> Waited | None:
        """The part that decides: one that fails, else one that is undecided; of those, with the most above."""
        order = ("fail", "between", "pass")
        return min(self.parts, key=lambda part: (order.index(part.median), -part.above / len(part.rows)), default=None)

    @property
    def median(self) -> Decision:
        """What the medians of all parts say together."""
        return self.worst.median if self.worst else "between"


def spacing(lone: Ledger) -> Floats:
    """How long after the one before it each was due, within its look; NaN of the first, shape (n,)."""
    apart_s: Floats = np.full(len(lone), np.nan)
    apart_s[1:] = np.where(np.diff(lone.group) == 0, np.diff(lone.scheduled_s), np.nan)
    return apart_s


def alone(lone: Ledger) -> Mask:
    """Which lone requests were sent, within their look, as far from the others as planned, shape (n,)."""
    close = np.append(np.diff(lone.sent_s) < SPACING_KEPT * spacing(lone)[1:], False)[: len(lone)]
    kept: Mask = ~(close | np.append(False, close)[: len(lone)])
    return kept


def _waited(called: str, rows: Ledger, work_s: float, delay_s: float, looks: int, margin_s: float = MARGIN_S) -> Waited:
    bound_s = work_s + delay_s + margin_s
    above = int((~rows.right | (rows.latency_s > bound_s)).sum())
    return Waited(
        called, rows, work_s, bound_s, above, judge_proportion(above, len(rows), 0.5, look=1 if looks == 1 else 2)
    )


def _in_classes(lone: Ledger, gaps: Gaps, work_s: float, looks: int) -> tuple[Waited, ...]:
    classes = np.where(alone(lone), gaps.classes(lone), -1)
    return tuple(
        _waited(gaps.called(number), lone.select(classes == number), work_s, gaps.delay_s, looks)
        for number in range(CLASSES)
        if (classes == number).any()
    )


def time_waited(rows: Ledger, delay_s: float, looks: int, gaps: Gaps | None) -> TimeWaited:
    """Judge the loads FULL, LONE, TRICKLE and QUIET; a request without an answer counts as too late.

    Without `gaps` (records of a time when all were the same) lone requests are one class, and a trickle has none.
    """
    full, lone, quiet = rows.of(FULL), rows.of(LONE), rows.of(QUIET)
    took_s = full.latency_s[full.right]
    engine_s = float(np.median(took_s)) if len(took_s) else float("nan")
    patience, work_s = Patience.of(full, delay_s), engine_s
    opened, closed = batches_of_a_trickle(rows.of(TRICKLE), delay_s)
    if gaps and len(closed) >= WANTED_OF_A_TRICKLE:
        work_s = min(work_s, AFTER_A_PAUSE * float(np.median(closed.latency_s)))
    parts: tuple[Waited, ...]
    firsts: Waited | None = None
    if gaps:
        parts = _in_classes(lone, gaps, work_s, looks)
        if len(opened) >= WANTED_OF_A_TRICKLE:
            firsts = _waited("request of a trickle that opened a batch", opened, work_s, delay_s, looks)
    else:
        kept = lone.select(alone(lone))
        parts = (_waited(ANY_GAP, kept, work_s, delay_s, looks),) if len(kept) else ()
    kept = quiet.select(alone(quiet))
    slept_s = quiet_time.WORK_AFTER_IT * work_s
    after_quiet = _waited(AFTER_QUIET, kept, slept_s, delay_s, looks, quiet_time.MARGIN_S) if len(kept) else None
    by_load = [(LONE, patience.lone_s), (TRICKLE, patience.trickle_s), (QUIET, patience.lone_s)]
    too_late = np.zeros(len(rows), dtype=np.bool_)
    for load, patience_s in by_load:
        too_late |= (rows.load == rows.code(load)) & (~(rows.latency_s <= patience_s) | (rows.error != rows.code("")))
    late = rows.select(too_late)
    excused = np.isin(late.row, behind_another(rows.of(TRICKLE), delay_s).row)
    return TimeWaited(engine_s, parts, firsts, after_quiet, late, late.select(~excused))
