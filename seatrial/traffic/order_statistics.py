"""Exact quantiles of values that are not in memory together: parts are gone over a few times, and few values kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from seatrial.ledger import Floats, Ints

Keys = NDArray[np.uint64]
Parts = Callable[[], Iterable[Floats]]

_BITS, _BIN_BITS = 64, 16  # the first 16: sign, exponent and 4 bits of the mantissa, a sixteenth of its values wide
_ALL, _SIGN = np.uint64((1 << 64) - 1), np.uint64(1 << 63)
_AT_ONCE = 1 << 16
_MOST_KEPT = 1 << 21


def quantiles(parts: Parts, qs: Sequence[float], most_kept: int = _MOST_KEPT) -> list[float]:
    """The q-quantiles (each 0 < q <= 1) of what `parts()` yields, without NaN; always values that are there.

    Values are counted in bins, and of those bins that a quantile falls in the values are kept and sorted; where these
    are more than `most_kept`, they are counted in finer bins first. Empty without values. Source: Hyndman and Fan 1996,
    definition 1.
    """
    return count_and_quantiles(parts, qs, most_kept)[1]


def count_and_quantiles(parts: Parts, qs: Sequence[float], most_kept: int = _MOST_KEPT) -> tuple[int, list[float]]:
    """How many values there are, and what `quantiles` has of them."""
    counts = _counted(parts, {0}, 0)
    count = int(counts[0].sum())
    if not count:
        return 0, []
    # 0.07 * 100 is a little above 7 in floating point, and the next observation would be taken.
    places = [(0, max(1, math.ceil(round(q * count, 9)))) for q in qs]  # a bin, and the rank within it
    for bits in range(_BIN_BITS, _BITS + 1, _BIN_BITS):
        sizes = {}
        for number, (bin, rank) in enumerate(places):
            reached = np.cumsum(counts[bin])
            finer = int(np.searchsorted(reached, rank))
            its = int(counts[bin][finer])
            places[number] = bin << _BIN_BITS | finer, rank - int(reached[finer]) + its
            sizes[places[number][0]] = its
        if bits == _BITS:
            break
        if sum(sizes.values()) <= most_kept:
            wanted = np.array(list(sizes), np.uint64)
            kept = np.sort(np.concatenate([keys[np.isin(_bins(keys, bits), wanted)] for keys in _keys(parts)]))
            first = np.searchsorted(_bins(kept, bits), np.array([bin for bin, _ in places], np.uint64))
            return count, _values(kept[first + [rank - 1 for _, rank in places]])
        counts = _counted(parts, set(sizes), bits)
    return count, _values(np.array([bin for bin, _ in places], np.uint64))


def _counted(parts: Parts, bins: set[int], bits: int) -> dict[int, Ints]:
    """Of each of these bins, which are the first `bits` bits of the keys in it: how many go on with each next 16."""
    counts = {bin: np.zeros(1 << _BIN_BITS, np.int64) for bin in bins}
    for keys in _keys(parts):
        finer = _bins(keys, bits + _BIN_BITS)
        for bin, found in counts.items():
            mine = finer[finer >> np.uint64(_BIN_BITS) == bin] if bits else finer
            found += np.bincount((mine & np.uint64(0xFFFF)).astype(np.int64), minlength=len(found))
    return counts


def _bins(keys: Keys, bits: int) -> Keys:
    """Their first `bits` bits."""
    return keys >> np.uint64(_BITS - bits)


def _keys(parts: Parts) -> Iterator[Keys]:
    """Integers that ascend with the values: their representation (IEEE 754), of negative ones all bits turned."""
    for values in _together(parts()):
        keys = np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)
        yield keys ^ np.where(keys & _SIGN, _ALL, _SIGN)


def _values(keys: Keys) -> list[float]:
    """What has these keys."""
    found: list[float] = (keys ^ np.where(keys & _SIGN, _SIGN, _ALL)).view(np.float64).tolist()
    return found


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
