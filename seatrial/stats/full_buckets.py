"""What a token bucket owes whose every request was seen, from the first one on.

It is full when that comes, and full again only where (burst - 1) / rate has passed since a refusal, which says that it
was empty. Between, no token is lost: a refusal is wrong if more of them were due by then than requests can have been
admitted. How long admitted requests are open does not matter for that: each was admitted, sooner or later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seatrial.stats.buckets import EPSILON_S, EPSILON_SHARE, Mask


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal, and what a bucket had by then that was full at the first request."""

    at_s: float
    full_s: float  # when it was last full, as far as the refusals allow, and with the fewest tokens left
    admitted: int  # since then, at most
    due: float  # tokens: those of the full bucket, and what came since


def worst_shortfall(
    sent_s: NDArray[np.float64],
    first_byte_s: NDArray[np.float64],
    admitted: Mask,
    rate_rps: float,
    burst: float,
) -> tuple[float, Refusal | None]:
    """Over all refusals: the most tokens that were left for one, beyond the tolerance, and which that was.

    The rows are all that the bucket was asked, its first request among them. Above 0 is a violation. (-inf, None)
    without refusals.
    """
    if admitted.all():
        return -np.inf, None
    taken_s, answered_s = np.sort(sent_s[admitted]), np.sort(first_byte_s[admitted])
    refused_s, told_s = sent_s[~admitted], first_byte_s[~admitted]
    in_turn = np.argsort(told_s, kind="stable")
    not_full_until_s = np.maximum.accumulate(refused_s[in_turn] + max(burst - 1, 0.0) / rate_rps)

    def may_be_full(at_s: NDArray[np.float64]) -> Mask:
        told = np.searchsorted(told_s[in_turn], at_s, side="left")
        full: Mask = (told == 0) | (at_s >= not_full_until_s[np.maximum(told - 1, 0)])
        return full

    # The least is left if it was full until just before an admission was answered, or a refusal.
    full_s = np.concatenate([sent_s.min(keepdims=True), answered_s, told_s, refused_s])
    full_s = np.sort(full_s[may_be_full(full_s)])
    slope_rps = rate_rps * (1 - EPSILON_SHARE)
    left = np.searchsorted(answered_s, full_s, side="left") - slope_rps * full_s
    least = np.minimum.accumulate(left)
    by_then = np.searchsorted(full_s, refused_s, side="right") - 1
    taken = np.searchsorted(taken_s, told_s, side="right")
    # One token for the refused request itself, and one of tolerance.
    beyond = burst - 2 - rate_rps * EPSILON_S + slope_rps * refused_s - taken + least[by_then]
    worst = int(np.argmax(beyond))
    since = int(np.argmin(left[: by_then[worst] + 1]))
    gone = int(np.searchsorted(answered_s, full_s[since], side="left"))
    at_s, last_full_s = float(refused_s[worst]), float(full_s[since])
    due = burst + rate_rps * (at_s - last_full_s)
    return float(beyond[worst]), Refusal(at_s, last_full_s, int(taken[worst]) - gone, due)


def tokens_at_first(sent_s: NDArray[np.float64], admitted: Mask, rate_rps: float) -> float | None:
    """About how many tokens a bucket had when the requests began, one row each: None where it refused nothing.

    That is what it admitted before its first refusal, in order of sending, less what came back meanwhile; right to a
    token or two where requests are answered out of order.
    """
    in_turn = np.argsort(sent_s, kind="stable")
    refused = np.flatnonzero(~admitted[in_turn])
    if not len(refused):
        return None
    first = int(refused[0])
    return max(0.0, first - rate_rps * float(sent_s[in_turn[first]] - sent_s[in_turn[0]]))
