"""Clocks compared by asking: the best round trip counts, and what is not explained by the bounds is drift."""

import pytest

from seatrial.traffic import clocks
from seatrial.traffic.clocks import ClockOffset


class Ours:
    """A clock of ours that a test moves."""

    def __init__(self):
        self.now_s = 100.0

    def monotonic(self):
        return self.now_s


@pytest.fixture
def ours(monkeypatch):
    clock = Ours()
    monkeypatch.setattr(clocks, "time", clock)
    return clock


def test_the_best_round_trip_decides_however_uneven_the_others_are(ours):
    ways_s = iter([(0.5, 0.1), (0.002, 0.004), *[(0.3, 0.9)] * 18])

    def asked():
        there_s, back_s = next(ways_s)
        ours.now_s += there_s
        theirs_s = ours.now_s - 7.0
        ours.now_s += back_s
        return theirs_s

    found = clocks.compared(asked)
    assert found.bound_s == pytest.approx(0.003)
    assert abs(found.offset_s - 7.0) <= found.bound_s
    assert next(ways_s, None) is None


@pytest.mark.parametrize(
    ("then", "now", "bound_s"),
    [
        (ClockOffset(7.0, 0.003), ClockOffset(7.004, 0.002), 0.003),  # 4 ms apart, and 5 ms are explained
        (ClockOffset(7.0, 0.003), ClockOffset(7.025, 0.002), 0.023),  # 20 ms of it are drift
        (clocks.SAME_CLOCK, clocks.SAME_CLOCK, 0.0),
    ],
)
def test_drift_between_two_measurements_widens_the_bound(then, now, bound_s):
    assert clocks.bound_s([then], now) == pytest.approx(bound_s)


def test_of_several_earlier_measurements_the_worst_counts():
    then = [ClockOffset(7.0, 0.003), ClockOffset(7.5, 0.003)]
    assert clocks.bound_s(then, ClockOffset(7.0, 0.001)) == pytest.approx(0.003 + 0.496)
