"""Quantiles of values in parts are those of all values together, exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.stats import quantiles as of_samples
from seatrial.traffic.order_statistics import quantiles

QS = (0.001, 0.07, 0.5, 0.9, 0.99, 0.999, 1.0)
NUMBERS = st.one_of(
    st.floats(allow_nan=False), st.floats(0.0009, 0.0011), st.sampled_from([0.0, -0.0, 1.0, float("inf")])
)


@given(parts=st.lists(st.lists(NUMBERS, max_size=50), max_size=6), most_kept=st.sampled_from([0, 1, 5, 1000]))
def test_each_is_the_value_at_its_rank_however_few_may_be_kept(parts, most_kept):
    whole = np.array([value for part in parts for value in part])
    found = quantiles(lambda: (np.array(part, dtype=np.float64) for part in parts), QS, most_kept)
    if not len(whole):
        assert found == []
        return
    assert found[:-1] == [of_samples.quantile(whole, q) for q in QS[:-1]]
    assert found[-1] == whole.max()


@pytest.mark.parametrize("count", [1, 99, 100, 101, 1000])
def test_the_rank_is_not_moved_by_a_rounding_error(count):
    values = np.arange(1.0, count + 1)
    for percent in range(1, 100):
        (found,) = quantiles(lambda: iter([values]), (percent / 100,))
        assert found == -(-percent * count // 100)
