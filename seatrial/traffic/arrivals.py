"""When requests are due. The schedule is drawn before anything is sent; the same seed gives the same one.

Every function returns ascending seconds, shape (n,), within [start_s, end_s).

A rate that changes is met by time-rescaling: arrivals are placed in operational time, in which one is expected per
unit, and carried over by the inverse of the integral of the rate. That is exact for every law here (Brown et al.,
"The time-rescaling theorem and its application to neural spike train data analysis", Neural Computation 14, 2002).

What is the same on every machine: only the integers of PCG64 and its SeedSequence are taken from numpy, which promises
them for every version; it promises neither `default_rng` nor the methods of Generator (NEP 19). The inverse
distribution functions that follow are libm's and scipy's, equal to some last bits: far below a microsecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.special

from seatrial.errors import InputError
from seatrial.ledger import Floats, Ints

CONSTANT_CV, POISSON_CV = 0.0, 1.0  # coefficients of variation of the gaps
_GAPS, _PICKS = 0, 1  # what a seed is spent on
_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class Intensity:
    """The rate over [start_s, end_s), linear from `from_rps` to `to_rps`. Raises InputError if it is 0 throughout."""

    start_s: float
    end_s: float
    from_rps: float
    to_rps: float

    def __post_init__(self) -> None:
        finite = np.isfinite([self.start_s, self.end_s, self.from_rps, self.to_rps]).all()
        if not finite or min(self.from_rps, self.to_rps) < 0 or max(self.from_rps, self.to_rps) <= 0:
            raise self._refused()
        if self.end_s <= self.start_s:
            raise self._refused()

    @classmethod
    def steady(cls, rate_rps: float, start_s: float, end_s: float) -> Self:
        """The same rate throughout."""
        return cls(start_s, end_s, rate_rps, rate_rps)

    @property
    def total(self) -> float:
        """How many arrivals are expected."""
        return (self.from_rps + self.to_rps) / 2 * (self.end_s - self.start_s)

    def expected(self, at_s: Floats) -> Floats:
        """How many arrivals are expected from start_s to each time: its operational time."""
        into_s = np.clip(at_s, self.start_s, self.end_s) - self.start_s
        return into_s * (self.from_rps + self._slope * into_s / 2)

    def when(self, expected: Floats) -> Floats:
        """The inverse of `expected`, for 0 to `total`."""
        # The root of the quadratic in the form that neither cancels nor divides by the slope.
        divisor = self.from_rps + np.sqrt(np.maximum(self.from_rps**2 + 2 * self._slope * expected, 0.0))
        return self.start_s + np.divide(2 * expected, divisor, out=np.zeros(len(expected)), where=divisor > 0)

    @property
    def _slope(self) -> float:
        return (self.to_rps - self.from_rps) / (self.end_s - self.start_s)

    def _refused(self) -> InputError:
        rate = f"{self.from_rps:g}" if self.from_rps == self.to_rps else f"{self.from_rps:g} to {self.to_rps:g}"
        return InputError(
            f"arrivals: expected a rate above 0 requests/s and an end after the start, "
            f"found {rate} requests/s from {self.start_s} s to {self.end_s} s; correct the scenario or the contract"
        )


def drawn(intensity: Intensity, cv: float, seed: int, attempt: int = 0) -> Floats:
    """Arrivals whose gaps, in operational time, have a mean of 1 and this coefficient of variation.

    cv 0 is a metronome with its first arrival at start_s, 1 a Poisson process; all others are renewal processes with
    gamma distributed gaps, above 1 burstier than Poisson. They are stationary from the start, so that the mean count
    is the integral of the rate. Each `attempt` is another draw of the same seed.
    """
    if not (np.isfinite(cv) and cv >= 0):
        raise InputError(f"arrivals: expected a coefficient of variation of 0 or more, found {cv}; correct the cv")
    metronome = cv == CONSTANT_CV
    places = _beats(intensity.total) if metronome else _renewals(intensity.total, cv, _bits(seed, _GAPS, attempt))
    for first in range(0, len(places), _AT_ONCE):  # in their place: of ten million, all in between would not fit
        places[first : first + _AT_ONCE] = intensity.when(places[first : first + _AT_ONCE])
    return places[places < intensity.end_s]


def poisson(rate_rps: float, start_s: float, end_s: float, seed: int) -> Floats:
    """A Poisson process: exponential gaps with a mean of 1 / rate_rps."""
    return drawn(Intensity.steady(rate_rps, start_s, end_s), POISSON_CV, seed)


def constant(rate_rps: float, start_s: float, end_s: float) -> Floats:
    """Equal gaps of 1 / rate_rps, the first arrival at start_s."""
    return drawn(Intensity.steady(rate_rps, start_s, end_s), CONSTANT_CV, seed=0)


def gamma(rate_rps: float, cv: float, start_s: float, end_s: float, seed: int) -> Floats:
    """A renewal process: gamma gaps with a mean of 1 / rate_rps and a standard deviation of cv times that."""
    return drawn(Intensity.steady(rate_rps, start_s, end_s), cv, seed)


def replayed(recorded_s: Floats, speed: float, start_s: float, end_s: float) -> Floats:
    """Recorded arrivals (ascending, the first at 0) with their gaps divided by `speed`, as far as they fit."""
    if not (np.isfinite(speed) and speed > 0):
        raise InputError(f"trace: expected a speed above 0, found {speed}; correct the speed")
    arrivals_s = start_s + recorded_s / speed
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
    _need_exchanges(of)
    return (_uniforms(_bits(seed, _PICKS), count) * of).astype(np.int64)


def picks_by_size(sizes: Ints, offered: Ints, seed: int) -> Ints:
    """For each size, the exchange that stands where it stands: the longest of `offered` for the longest of `sizes`.

    Only the order counts, so that sizes may be tokens and offered ones bytes. Each exchange is picked equally often,
    give or take one; the seed decides among equals.
    """
    _need_exchanges(len(offered))
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.lexsort((_uniforms(_bits(seed, _PICKS), len(sizes)), sizes))] = np.arange(len(sizes))
    return np.argsort(offered, kind="stable")[rank * len(offered) // max(1, len(sizes))]


def _beats(total: float) -> Floats:
    return np.arange(np.ceil(total), dtype=np.float64)


def _renewals(total: float, cv: float, bits: np.random.PCG64) -> Floats:
    """The renewals before `total` of an equilibrium renewal process with gaps of mean 1."""
    shape = cv**-2
    # What is left at a random moment of the gap that covers it: a uniform share of a length-biased gap (Cox, Renewal
    # Theory, 1962, section 5.2). For the exponential that is the exponential again.
    biased, share = _uniforms(bits, 2)
    reached = float(scipy.special.gammaincinv(shape + 1, biased) / shape * share)
    found = [np.array([reached])]
    while reached < total:
        left = total - reached
        gaps = _gaps(shape, _uniforms(bits, int(left + 4 * cv * left**0.5) + 16))
        np.cumsum(gaps, out=gaps)
        gaps += reached
        found.append(gaps)
        reached = float(gaps[-1])
    return np.concatenate([some[some < total] for some in found])


def _gaps(shape: float, uniforms: Floats) -> Floats:
    """In the memory of `uniforms`."""
    if shape == 1.0:
        np.negative(uniforms, out=uniforms)
        np.log1p(uniforms, out=uniforms)
        return np.negative(uniforms, out=uniforms)
    scipy.special.gammaincinv(shape, uniforms, out=uniforms)
    uniforms /= shape
    return uniforms


def _bits(seed: int, *key: int) -> np.random.PCG64:
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key))


def _uniforms(bits: np.random.PCG64, count: int) -> Floats:
    """Multiples of 2**-53 in [0, 1)."""
    integers = bits.random_raw(count)
    integers >>= np.uint64(11)
    return np.asarray(integers * 2.0**-53, dtype=np.float64)


def _need_exchanges(of: int) -> None:
    if of < 1:
        raise InputError(f"picks: expected 1 exchange or more to draw from, found {of}; give the requests to send")
