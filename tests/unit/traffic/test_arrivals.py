"""The schedule is drawn beforehand, from a seed."""

import numpy as np
import pytest
from scipy import stats

from seatrial.errors import InputError
from seatrial.traffic import arrivals


def test_the_same_seed_gives_the_same_schedule():
    first, again = (arrivals.poisson(100, 2.0, 12.0, seed=5) for _ in range(2))
    assert first.tolist() == again.tolist()
    assert arrivals.picks(50, 16, seed=5).tolist() == arrivals.picks(50, 16, seed=5).tolist()


def test_another_seed_gives_another_schedule():
    assert arrivals.poisson(100, 2.0, 12.0, seed=5).tolist() != arrivals.poisson(100, 2.0, 12.0, seed=6).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_poisson_gaps_are_exponential(seed):
    """Kolmogorov-Smirnov at 0.001, and the count within 4 standard deviations; the seeds are fixed."""
    arrivals_s = arrivals.poisson(200, 0.0, 50.0, seed)
    assert stats.kstest(np.diff(arrivals_s), "expon", args=(0, 1 / 200)).pvalue > 0.001
    assert abs(len(arrivals_s) - 10_000) < 400
    assert arrivals_s.tolist() == sorted(arrivals_s)
    assert arrivals_s[0] >= 0.0
    assert arrivals_s[-1] < 50.0


def test_constant_arrivals_have_equal_gaps_and_exclude_the_end():
    assert arrivals.constant(4, 1.0, 2.0).tolist() == [1.0, 1.25, 1.5, 1.75]


@pytest.mark.parametrize(("rate_rps", "span_s", "count"), [(10, 3.0, 30), (0.5, 3.0, 2), (3, 1.0, 3), (7, 0.1, 1)])
def test_constant_arrivals_are_as_many_as_fit(rate_rps, span_s, count):
    assert len(arrivals.constant(rate_rps, 0.0, span_s)) == count


def test_a_burst_is_due_at_one_moment_and_numbered():
    arrivals_s, groups = arrivals.bursts(size=3, every_s=0.5, count=2, start_s=10.0)
    assert arrivals_s.tolist() == [10.0, 10.0, 10.0, 10.5, 10.5, 10.5]
    assert groups.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    "call",
    [
        lambda: arrivals.poisson(0, 0, 1, 1),
        lambda: arrivals.poisson(-1, 0, 1, 1),
        lambda: arrivals.poisson(1, 1, 1, 1),
        lambda: arrivals.constant(float("inf"), 0, 1),
        lambda: arrivals.bursts(0, 1.0, 1, 0.0),
        lambda: arrivals.picks(3, 0, 1),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(call):
    with pytest.raises(InputError, match=r"expected .* found"):
        call()
