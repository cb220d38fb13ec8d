"""A load for so many answers lasts as long as the service takes to give them."""

import pytest

from seatrial.trials.pace import Pace

PACE = Pace(wanted=2000, least_s=6.0, patience_s=120.0, longest_s=1200.0)


def lasts_s(answers_per_s, pace=PACE):
    """How long the load goes on, looked at twice a second."""
    elapsed_s = 0.0
    while pace.goes_on(elapsed_s, int(answers_per_s * elapsed_s)):
        elapsed_s += 0.5
    return elapsed_s


@pytest.mark.parametrize(
    ("answers_per_s", "took_s"),
    [(1000, 6.0), (200, 10.0), (20, 100.0), (10, 200.0), (4, 500.0), (1.7, 1176.5)],
    ids=["quick: the least", "quick", "as it was", "10/s", "an engine of 4/s", "just in time"],
)
def test_it_ends_with_the_last_answer_wanted(answers_per_s, took_s):
    assert lasts_s(answers_per_s) == took_s


@pytest.mark.parametrize("answers_per_s", [0, 0.1, 1.6])
def test_what_would_take_longer_than_the_longest_is_given_up_when_the_patience_ends(answers_per_s):
    assert lasts_s(answers_per_s) == 120.0


def test_what_slows_down_is_given_up_when_its_pace_no_longer_leads_there():
    assert PACE.goes_on(300.0, 600)
    assert PACE.goes_on(360.0, 600)
    assert not PACE.goes_on(360.5, 600)


def test_nothing_goes_on_for_longer_than_the_longest():
    assert not PACE.goes_on(1200.0, 1999)


def test_where_no_answers_are_wanted_it_lasts_the_least():
    assert lasts_s(50, Pace(0, 4.0, 120.0, 1200.0)) == 4.0
