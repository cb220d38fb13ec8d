"""Token buckets from outside: a client only knows that an admission lies between send and first byte.

A bucket of `burst` tokens, refilled at `rate_rps`, admits at most burst + rate x length + 1 requests in any
window. A window counts as violated only if every admission time within the client's bounds violates it, so a
slow network can hide a fault of the bucket but never invent one.

Once a bucket is known to be empty, what it admits is determined by the arrivals, and is compared with an ideal
bucket fed the same arrivals. Comparing with rate x length instead would accuse a small healthy bucket: one of a
single token loses whatever drips in while no request waits, a quarter of the rate under Poisson demand of 3 x rate.
What a bucket owes whose first request was seen: full_buckets.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seatrial.errors import InputError
from seatrial.stats import Decision

Mask = NDArray[np.bool_]

REJECTIONS_PROVING_EMPTY = 3
EPSILON_S = 0.05
EPSILON_SHARE = 0.01
# A bucket of one token admits or refuses by the millisecond: what jitter does to its phase adds up over a window.
SMALL_BURST, SMALL_EPSILON_SHARE = 2.0, 0.05
FEWEST_EXPECTED = 50.0  # rate x length needed before a deviation of 5 % can be seen


@dataclass(frozen=True, slots=True)
class Window:
    """Certain admissions of a window, and the most that may be."""

    start_s: float
    end_s: float
    admitted: int  # for certain
    allowed: float


@dataclass(frozen=True, slots=True)
class Steady:
    """Admissions from the moment the bucket was empty, where they part the most from the ideal bucket's."""

    start_s: float
    end_s: float
    admitted: int
    ideal: int
    tolerance: float


@dataclass(frozen=True, slots=True)
class BucketJudgement:
    """`between`: the upper bound held, and the bucket was not seen empty for long enough to judge its rate."""

    decision: Decision
    excess: Window | None  # the window closest to, or furthest above, what a full bucket allows
    steady: Steady | None


def _spans(sent_s: NDArray[np.float64], first_byte_s: NDArray[np.float64]) -> None:
    if sent_s.shape != first_byte_s.shape or sent_s.ndim != 1 or not bool(np.all(first_byte_s >= sent_s)):
        raise InputError(
            "admissions: expected one first byte at or after each send, "
            f"found shapes {sent_s.shape} and {first_byte_s.shape} or a first byte before its send or missing; "
            "pass answered rows only"
        )


def worst_excess(
    sent_s: NDArray[np.float64], first_byte_s: NDArray[np.float64], slope_rps: float, constant: float
) -> tuple[float, Window | None]:
    """Over all windows: the most by which certain admissions exceed constant + slope x length, and where.

    Certain are those sent in the window and answered in it. Above 0 is a violation. (-inf, None) without rows.
    Raises InputError if a first byte precedes its send.
    """
    _spans(sent_s, first_byte_s)
    if len(sent_s) == 0:
        return -np.inf, None
    ends = np.sort(first_byte_s)
    latest_first = np.argsort(-sent_s, kind="stable")
    # margin[j]: certain admissions of the window from the present start to ends[j], less slope x ends[j].
    margin = -slope_rps * ends
    best, window = -np.inf, (0, 0)
    positions = np.searchsorted(ends, first_byte_s, side="left")
    for row in latest_first:
        margin[positions[row] :] += 1.0
        here = int(np.argmax(margin[positions[row] :])) + int(positions[row])
        excess = float(margin[here]) + slope_rps * float(sent_s[row]) - constant
        if excess > best:
            best, window = excess, (int(row), here)
    start_s, end_s = float(sent_s[window[0]]), float(ends[window[1]])
    admitted = int(np.sum((sent_s >= start_s) & (first_byte_s <= end_s)))
    return best, Window(start_s, end_s, admitted, constant + slope_rps * (end_s - start_s))


def proven_empty(sent_s: NDArray[np.float64], admitted: Mask) -> NDArray[np.int64]:
    """Rows at whose answer the bucket was certainly empty: each third rejection in a row, in order of sending."""
    in_turn = np.argsort(sent_s, kind="stable")
    rejected = ~admitted[in_turn]
    in_a_row = rejected.copy()
    for before in range(1, REJECTIONS_PROVING_EMPTY):
        in_a_row[before:] &= rejected[:-before]
        in_a_row[:before] = False
    return in_turn[in_a_row]


def ideal_admissions(arrivals_s: NDArray[np.float64], start_s: float, rate_rps: float, burst: float) -> Mask:
    """Which arrivals (ascending, none before start_s) a bucket admits that is empty at start_s, shape (n,)."""
    admitted = np.zeros(len(arrivals_s), dtype=np.bool_)
    tokens, at_s = 0.0, start_s
    for index, arrival_s in enumerate(arrivals_s.tolist()):
        # Even a bucket of less than one token must be able to hold the one that an admission takes.
        tokens, at_s = min(max(burst, 1.0), tokens + rate_rps * (arrival_s - at_s)), arrival_s
        if tokens >= 1.0 - 1e-9:
            tokens -= 1.0
            admitted[index] = True
    return admitted


def steady_deviation(
    sent_s: NDArray[np.float64],
    first_byte_s: NDArray[np.float64],
    admitted: Mask,
    empty_s: float,
    rate_rps: float,
    burst: float,
) -> tuple[float, Steady | None]:
    """How far admissions from empty_s on certainly part from the ideal's beyond the tolerance; above 0 is a violation.

    Looks at every window [empty_s, t] in which rate x length reaches FEWEST_EXPECTED; (-inf, None) without one.
    Too many counts only what was sent and answered within the window, too few all that may have been admitted in it:
    a server that answers late moves admissions over both ends of a window, and must not be accused for that.
    """
    ends = np.sort(sent_s[sent_s > empty_s])
    ends = ends[rate_rps * (ends - empty_s) >= FEWEST_EXPECTED]
    if not len(ends):
        return -np.inf, None
    certain = np.searchsorted(np.sort(first_byte_s[admitted & (sent_s > empty_s)]), ends, side="right")
    possible = np.searchsorted(np.sort(sent_s[admitted & (first_byte_s > empty_s)]), ends, side="right")
    ideals = [
        _ideal_by(np.sort(at_s[at_s > empty_s]), ends, empty_s, rate_rps, burst) for at_s in (sent_s, first_byte_s)
    ]
    # The ideal of a small bucket depends on the very moments of arrival; that no bucket beats its rate does not.
    most, least = rate_rps * (ends - empty_s), np.minimum(*ideals)
    share = EPSILON_SHARE if burst >= SMALL_BURST else SMALL_EPSILON_SHARE
    tolerance = 1 + rate_rps * (EPSILON_S + share * (ends - empty_s))
    over, under = certain - most - tolerance, least - possible - tolerance
    worst = int(np.argmax(np.maximum(over, under)))
    too_many = over[worst] >= under[worst]
    seen, ideal = (certain, most) if too_many else (possible, least)
    return float(max(over[worst], under[worst])), Steady(
        empty_s, float(ends[worst]), int(seen[worst]), int(ideal[worst]), float(tolerance[worst])
    )


def _ideal_by(
    arrivals_s: NDArray[np.float64], ends_s: NDArray[np.float64], start_s: float, rate_rps: float, burst: float
) -> NDArray[np.int64]:
    """How many the ideal bucket has admitted by each of ends_s."""
    admitted = arrivals_s[ideal_admissions(arrivals_s, start_s, rate_rps, burst)]
    return np.searchsorted(admitted, ends_s, side="right")


def judge_bucket(
    sent_s: NDArray[np.float64],
    first_byte_s: NDArray[np.float64],
    admitted: Mask,
    rate_rps: float,
    burst: float,
) -> BucketJudgement:
    """Whether a saturated limiter admits as a bucket of this rate and burst would.

    Columns of shape (n,), one row an answered request, admitted or rejected.
    Raises InputError for a rate that is not positive or a first byte before its send.
    """
    if rate_rps <= 0 or burst < 0:
        raise InputError(
            f"bucket: expected a rate above 0 and a burst of 0 or more, found {rate_rps} and {burst}; "
            "correct the contract's limits"
        )
    _spans(sent_s, first_byte_s)
    above, excess = worst_excess(sent_s[admitted], first_byte_s[admitted], rate_rps, burst + 1)
    beyond, steady = -np.inf, None
    for empty_s in _moments_to_judge_from(sent_s, first_byte_s, admitted, rate_rps):
        further, seen = steady_deviation(sent_s, first_byte_s, admitted, empty_s, rate_rps, burst)
        if steady is None or further > max(beyond, 0.0):
            beyond, steady = further, seen
    if above > 0 or beyond > 0:
        return BucketJudgement("fail", excess, steady)
    return BucketJudgement("between" if steady is None else "pass", excess, steady)


def _moments_to_judge_from(
    sent_s: NDArray[np.float64], first_byte_s: NDArray[np.float64], admitted: Mask, rate_rps: float
) -> list[float]:
    """The first moment at which the bucket was empty, and the one after which its rate shows best.

    An admitted request that is open at that moment may be one of the bucket's later admissions: after a burst they
    are many, and some time later few or none.
    """
    empty = proven_empty(sent_s, admitted)
    if not len(empty):
        return []
    moments_s = first_byte_s[empty]
    left_s = sent_s.max() - moments_s
    usable = (rate_rps * left_s >= FEWEST_EXPECTED) & (moments_s - sent_s[empty] <= EPSILON_S)
    if not usable.any():
        return [float(moments_s[0])]
    taken_s, answered_s = np.sort(sent_s[admitted]), np.sort(first_byte_s[admitted])
    open_then = np.searchsorted(taken_s, moments_s, "right") - np.searchsorted(answered_s, moments_s, "right")
    hidden = (open_then + 1 + rate_rps * EPSILON_S) / np.where(usable, left_s, 1.0)
    best = int(np.argmin(np.where(usable, hidden, np.inf)))
    return [float(moments_s[0]), float(moments_s[best])]
