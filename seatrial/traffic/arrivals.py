"""When requests are due. The schedule is drawn before anything is sent; the same seed gives the same one.

Every function returns ascending seconds, shape (n,), within [start_s, end_s).
"""

from __future__ import annotations

import numpy as np

from seatrial.errors import InputError
from seatrial.observation import Floats, Ints


def poisson(rate_rps: float, start_s: float, end_s: float, seed: int) -> Floats:
    """A Poisson process: exponential gaps with a mean of 1 / rate_rps."""
    _need(rate_rps, start_s, end_s)
    draw = np.random.default_rng(seed)
    span_s = end_s - start_s
    # The count first, then the places: exactly the process, without knowing how many gaps will be needed.
    count = int(draw.poisson(rate_rps * span_s))
    return start_s + np.sort(draw.uniform(0.0, span_s, count))


def constant(rate_rps: float, start_s: float, end_s: float) -> Floats:
    """Equal gaps of 1 / rate_rps, the first arrival at start_s."""
    _need(rate_rps, start_s, end_s)
    arrivals_s = start_s + np.arange(int(np.ceil((end_s - start_s) * rate_rps))) / rate_rps
    return arrivals_s[arrivals_s < end_s]


def bursts(size: int, every_s: float, count: int, start_s: float) -> tuple[Floats, Ints]:
    """`count` bursts of `size` requests at once, `every_s` apart; the arrivals and the number of their burst."""
    if size < 1 or count < 1 or every_s < 0:
        raise InputError(
            f"bursts: expected size and count of 1 or more and every_s of 0 or more, "
            f"found size {size}, count {count}, every_s {every_s}; correct the one that is too small"
        )
    group = np.repeat(np.arange(count, dtype=np.int64), size)
    return np.asarray(start_s + group * every_s, dtype=np.float64), group


def picks(count: int, of: int, seed: int) -> Ints:
    """For each of `count` arrivals, which of `of` exchanges it sends: uniform draws, shape (count,)."""
    if of < 1:
        raise InputError(f"picks: expected 1 exchange or more to draw from, found {of}; give the requests to send")
    return np.random.default_rng([seed, 1]).integers(0, of, count, dtype=np.int64)


def _need(rate_rps: float, start_s: float, end_s: float) -> None:
    if not (rate_rps > 0 and end_s > start_s and np.isfinite([rate_rps, start_s, end_s]).all()):
        raise InputError(
            f"arrivals: expected a rate above 0 requests/s and an end after the start, "
            f"found {rate_rps} requests/s from {start_s} s to {end_s} s; correct the scenario or the contract"
        )
