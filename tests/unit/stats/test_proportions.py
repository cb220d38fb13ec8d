"""Proportions are decided exactly, within the error rates that were promised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seatrial.errors import InputError
from seatrial.stats.proportions import (
    chance_of_more,
    judge_proportion,
    lower_bound,
    proportion_limits,
    upper_bound,
    wilson,
    zero_event_bound,
    zero_event_n,
)

counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("n", "bound", "passes_at", "fails_at", "excludes"),
    [
        (300, 0.05, 7, 35, 0.15),  # rejects slower than allowed
        (900, 0.05, 32, 77, 0.10),
        (300, 0.15, 32, 75, 0.29),  # rows slower than before the overload
        (600, 0.01, 1, 20, 0.046),  # probes slower than half their timeout
        (1800, 0.01, 9, 40, 0.028),
        (60, 0.50, 21, 48, 0.87),  # a median as a proportion
        (180, 0.50, 76, 120, 0.72),
    ],
)
def test_the_limits_of_the_catalogue(n, bound, passes_at, fails_at, excludes):
    """Both sides of both limits, and the share that such a pass excludes."""
    limits = proportion_limits(n, bound)
    assert (limits.pass_at_most, limits.fail_at_least) == (passes_at, fails_at)
    assert limits.smallest_failing_share == pytest.approx(excludes, abs=0.005)
    assert [judge_proportion(k, n, bound) for k in (passes_at, passes_at + 1, fails_at - 1, fails_at)] == [
        "pass",
        "between",
        "between",
        "fail",
    ]


@pytest.mark.parametrize(
    ("rate", "at_95", "at_99"), [(0.05, 59, 90), (0.01, 299, 459), (0.005, 598, 919), (0.001, 2995, 4603)]
)
def test_rows_needed_to_exclude_a_rate_without_one_event(rate, at_95, at_99):
    assert (zero_event_n(rate, 0.95), zero_event_n(rate, 0.99)) == (at_95, at_99)
    assert zero_event_bound(at_95) <= rate < zero_event_bound(at_95 - 1)


def test_zero_events_exclude_what_the_formula_says():
    assert zero_event_bound(2000) == pytest.approx(1 - 0.05 ** (1 / 2000))
    assert zero_event_bound(2000) == pytest.approx(0.0015, abs=5e-6)


@given(counts)
def test_zero_events_are_the_exact_bound_with_nothing_seen(count):
    _, n = count
    assert zero_event_bound(n) == pytest.approx(upper_bound(0, n, 0.95))


def test_wilson_by_hand():
    """10 of 100: the textbook value."""
    interval = wilson(10, 100)
    assert (interval.low, interval.high) == pytest.approx((0.05523, 0.17437), abs=1e-5)


@given(counts, st.sampled_from([0.9, 0.95, 0.99]))
def test_wilson_holds_the_observed_share(count, confidence):
    events, n = count
    assert events / n in wilson(events, n, confidence)


@given(counts, st.sampled_from([0.95, 0.975, 0.999995]))
def test_exact_bounds_invert_the_binomial(count, confidence):
    """At the upper bound so few events are just improbable enough, at the lower bound so many."""
    events, n = count
    if events < n:
        assert stats.binom.cdf(events, n, upper_bound(events, n, confidence)) == pytest.approx(1 - confidence, rel=1e-6)
    if events > 0:
        assert stats.binom.sf(events - 1, n, lower_bound(events, n, confidence)) == pytest.approx(
            1 - confidence, rel=1e-6
        )


@given(counts, st.floats(0.001, 0.999))
def test_mirrored_counts_have_mirrored_bounds(count, confidence):
    events, n = count
    assert lower_bound(events, n, confidence) == pytest.approx(1 - upper_bound(n - events, n, confidence), abs=1e-9)


@given(st.integers(1, 1000), st.floats(0.005, 0.995))
def test_more_events_never_help(n, bound):
    """Decisions go pass, between, fail as events rise; never back."""
    order = {"pass": 0, "between": 1, "fail": 2}
    ranks = [order[judge_proportion(k, n, bound)] for k in range(0, n + 1, max(1, n // 50))]
    assert ranks == sorted(ranks)


@given(st.integers(1, 1000), st.floats(0.005, 0.995))
def test_error_rates_are_kept(n, bound):
    """At the bound itself a look fails with at most half of alpha, and passes with at most half of 5 %."""
    limits = proportion_limits(n, bound)
    if limits.fail_at_least is not None:
        assert stats.binom.sf(limits.fail_at_least - 1, n, bound) <= 5e-6
    if limits.pass_at_most is not None:
        assert stats.binom.cdf(limits.pass_at_most, n, bound) <= 0.025


def test_too_few_rows_decide_nothing():
    limits = proportion_limits(3, 0.05)
    assert (limits.pass_at_most, limits.smallest_failing_share is not None) == (None, limits.fail_at_least is not None)
    assert judge_proportion(0, 3, 0.05) == "between"


@pytest.mark.parametrize(("events", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(events, n):
    for function in (wilson, upper_bound, lower_bound):
        with pytest.raises(InputError, match=f"events={events}, n={n}"):
            function(events, n)


def test_a_third_look_is_refused():
    assert judge_proportion(20, 900, 0.05, look=2) == "pass"
    with pytest.raises(InputError, match="expected 1 or 2, found 3"):
        judge_proportion(20, 900, 0.05, look=3)


@pytest.mark.parametrize(
    ("counts", "chance"),
    [
        ((3, 20, 0, 40), 0.0333),  # (20 over 3) of (60 over 3)
        ((10, 20, 0, 45), 1.03e-6),
        ((4, 4, 0, 4), 1 / 70),
        ((0, 20, 5, 40), 1.0),
    ],
)
def test_events_that_gather_in_one_of_two_samples_are_told_from_chance(counts, chance):
    assert chance_of_more(*counts) == pytest.approx(chance, rel=0.01)


@given(counts, counts)
def test_the_chance_of_more_is_fishers(during, otherwise):
    (a, n), (b, m) = during, otherwise
    expected = stats.fisher_exact([[a, n - a], [b, m - b]], alternative="greater").pvalue
    assert chance_of_more(a, n, b, m) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_chance_needs_something_to_hold_against():
    with pytest.raises(InputError, match="expected 0 <= events <= n with n above 0"):
        chance_of_more(1, 2, 0, 0)
