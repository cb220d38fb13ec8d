"""A run's quantiles, with intervals that see how far its requests hang together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import InputError
from seatrial.stats.observed import observed
from seatrial.stats.quantiles import interval, quantile, smallest_n_two_sided

Q = [0.5, 0.9, 0.99]


@given(st.integers(1, 400), st.integers(0, 2**32 - 1), st.sampled_from(Q))
def test_what_is_observed_has_its_interval_where_there_is_one(n, seed, q):
    samples = np.random.default_rng(seed).exponential(size=n)
    (found,) = observed(samples, [q])
    assert (found.percentile, found.value) == (100 * q, quantile(samples, q))
    if found.effective_n is not None:
        assert found.effective_n < n
    elif n < (needed := smallest_n_two_sided(q)):
        assert (found.low, found.high, found.needed) == (None, None, needed)
    else:
        bounds = interval(samples, q)
        assert (found.low, found.high) == (bounds.low, bounds.high)


def test_requests_that_hang_together_have_wider_intervals():
    samples = np.random.default_rng(1).exponential(size=4000)
    alone, together = observed(samples, Q), observed(np.repeat(samples[:200], 20), Q)
    for one, other in zip(alone, together, strict=True):
        assert one.effective_n is None
        assert 100 < other.effective_n < 250
    assert together[0].high - together[0].low > 3 * (alone[0].high - alone[0].low)
    assert (together[2].low, together[2].high) == (None, None)  # 200 are too few for a p99
    assert together[2].needed > 5000


def test_samples_that_are_not_independent_get_no_interval_however_many_they_are():
    (found,) = observed(range(1000), [0.5], confidence=None)
    assert (found.value, found.low, found.high, found.needed) == (499.0, None, None, None)


@pytest.mark.parametrize("samples", [[], [1.0, float("nan")]])
def test_nothing_and_what_did_not_end_have_no_quantile(samples):
    with pytest.raises(InputError, match="expected one or more numbers"):
        observed(samples, Q)
