"""Exact quantiles of values that are not in memory together: parts are gone over twice, and few values kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from seatrial.ledger import Floats, Ints

_BIN_BITS = 16  # sign, exponent and 4 bits of the mantissa: a bin is at most a sixteenth of its values wide
_ALL = (1 << 64) - 1
_AT_ONCE = 1 << 16


def quantiles(parts: Callable[[], Iterable[Floats]], qs: Sequence[float]) -> list[float]:
    """The q-quantiles (each 0 < q <= 1) of what `parts()` yields, without NaN; always values that are there.

    Of each bin that a quantile falls in, the values are kept and sorted; all others are only counted. Empty without
    values. Source: Hyndman and Fan 1996, definition 1.
    """
    counts = np.zeros(1 << _BIN_BITS, dtype=np.int64)
    for values in _together(parts()):
        counts += np.bincount(_bins(values), minlength=len(counts))
    reached = np.cumsum(counts)
    count = int(reached[-1])
    if not count:
        return []
    # 0.07 * 100 is a little above 7 in floating point, and the next observation would be taken.
    ranks = [max(1, math.ceil(round(q * count, 9))) for q in qs]
    bins = np.searchsorted(reached, ranks)
    wanted = np.zeros(len(counts), dtype=np.bool_)
    wanted[bins] = True
    kept = np.sort(np.concatenate([np.empty(0), *(values[wanted[_bins(values)]] for values in _together(parts()))]))
    # Of the wanted bins below a quantile's own, all values are among the kept ones.
    kept_before = np.cumsum(np.where(wanted, counts, 0)) - counts
    all_before = reached - counts
    return [float(kept[kept_before[bin] + rank - 1 - all_before[bin]]) for rank, bin in zip(ranks, bins, strict=True)]


def _together(parts: Iterable[Floats]) -> Iterator[Floats]:
    """The same values in fewer parts: each has a cost of its own."""
    waiting: list[Floats] = []
    count = 0
    for values in parts:
        waiting.append(values)
        count += len(values)
        if count >= _AT_ONCE:
            yield np.concatenate(waiting)
            waiting, count = [], 0
    if waiting:
        yield np.concatenate(waiting)


def _bins(values: Floats) -> Ints:
    """Bins that ascend with the values, by the leading bits of their representation (IEEE 754)."""
    bits = np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)
    # Of negative numbers all bits are turned, of others the sign alone.
    turned = bits ^ np.where(bits >> np.uint64(63), np.uint64(_ALL), np.uint64(1 << 63))
    return (turned >> np.uint64(64 - _BIN_BITS)).astype(np.int64)
