"""A trial is stopped at 1.5 times its time. A service that hangs has no more of it than any other."""

import threading
import time
from types import SimpleNamespace

import pytest

from seatrial.errors import InvalidMeasurement
from seatrial.ledger import ledger
from seatrial.trials.limit import TimeLimit, TrialStopped
from seatrial.trials.sandbox.traffic import Traffic
from tests.helpers.observations import contract


class Clock:
    """Reads what it was set to."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize(("after_s", "stopped"), [(0, False), (59.9, False), (60.0, True), (1000, True)])
def test_a_trial_of_40_s_is_stopped_after_60(clock, after_s, stopped):
    limit = TimeLimit(40.0, clock)
    clock.now_s += after_s
    if not stopped:
        limit.check("waiting for answers")
        assert limit.left_s() == pytest.approx(60 - after_s)
        return
    with pytest.raises(TrialStopped) as raised:
        limit.check("waiting for answers")
    assert str(raised.value) == f"stopped after {after_s:.0f} s, 1.5 times the 40 s it takes: waiting for answers"
    assert limit.left_s() == 0


def test_a_slower_service_gets_the_time_in_which_it_was_served(clock):
    limit = TimeLimit(40.0, clock)
    with limit.granted():
        clock.now_s += 100
        assert limit.left_s() == pytest.approx(50)
    limit.served(20)
    assert limit.left_s() == pytest.approx(1.5 * 120 - 100)
    assert limit.time_s == 120


def test_what_fits_into_its_time_anyway_does_not_make_it_longer(clock):
    limit = TimeLimit(40.0, clock)
    with limit.granted():
        clock.now_s += 30
    assert limit.left_s() == pytest.approx(30)


def test_time_counts_once_however_many_are_served(clock):
    limit = TimeLimit(10.0, clock)
    with limit.granted():
        with limit.granted():
            clock.now_s += 100
        clock.now_s += 10
    assert limit.time_s == 110


def test_a_planned_wait_of_one_thread_ends_when_another_is_stopped():
    limit = TimeLimit(0.05)
    raised = []

    def sleep():
        try:
            limit.sleep(60)
        except TrialStopped as stopped:
            raised.append(str(stopped))

    sleeping = threading.Thread(target=sleep)
    sleeping.start()
    time.sleep(0.05)
    limit._expired.set()  # as another thread's check leaves it
    sleeping.join(timeout=20)
    assert not sleeping.is_alive()
    assert len(raised) == 1


class Run:
    """Loads of which `each` more requests end within every wait, until `of` have; the wait for the rest is in vain."""

    name, loads = "run-1", ("lone",)

    def __init__(self, clock, each, of, error=""):
        self.clock, self.each, self.of, self.error = clock, each, of, error
        self.ended = self.told = 0

    def collect(self, timeout_s):
        self.ended = min(self.of, self.ended + self.each)
        took_s = min(timeout_s, 600.0)
        self.clock.now_s += took_s
        if self.ended < self.of:
            raise InvalidMeasurement("expected every attempt to end")
        return ledger([{"error": self.error}] * self.ended)

    def fresh(self):
        told, self.told = self.told, self.ended
        return ledger([{"error": self.error}] * (self.ended - told)), False


@pytest.fixture
def collect(clock, monkeypatch):
    """Waits for a run of a trial of 40 s; the clock tells how long it took."""
    monkeypatch.setattr(time, "monotonic", clock)

    def wait(run, timeout_s=1000.0):
        traffic = Traffic(SimpleNamespace(limit=TimeLimit(40.0, clock), contract=contract()), "ns", list)
        return traffic.collect(run, timeout_s)

    return wait


def test_answers_that_do_not_come_are_waited_for_until_the_limit_and_not_longer(clock, collect):
    with pytest.raises(TrialStopped) as raised:
        collect(Run(clock, each=0, of=12))
    assert clock.now_s - 100 == pytest.approx(60)
    assert str(raised.value) == (
        "stopped after 60 s, 1.5 times the 40 s it takes: waiting for answers of load lone; "
        "0 of 0 requests that ended were answered"
    )


def test_requests_that_time_out_are_no_answers(clock, collect):
    with pytest.raises(TrialStopped, match="0 of 4 requests that ended were answered"):
        collect(Run(clock, each=4, of=12, error="timeout"))
    assert clock.now_s - 100 == pytest.approx(60)


def test_a_service_that_is_slow_and_answers_is_waited_for(clock, collect):
    rows = collect(Run(clock, each=4, of=12))
    assert len(rows) == 12
    assert clock.now_s - 100 > 60


def test_a_wait_has_its_own_bound_beside_the_limit(clock, collect):
    with pytest.raises(InvalidMeasurement):
        collect(Run(clock, each=0, of=12), timeout_s=10.0)
    assert clock.now_s - 100 == pytest.approx(10)


class Slowly:
    """A run of which an answer comes with every so many waits of half a second; 0: none."""

    name, loads = "run-1", ("loop",)

    def __init__(self, waits):
        self.waits, self.told = waits, 0

    def fresh(self):
        self.told += 1
        return ledger([{"status": 200}] if self.waits and self.told % self.waits == 0 else []), False


@pytest.mark.parametrize(("waits", "stopped"), [(1, False), (10, False), (0, True)])
def test_a_load_that_is_answered_slowly_has_all_the_time_until_each_answer(clock, monkeypatch, waits, stopped):
    """With an answer every 5 s, nine of ten waits bring none: a trial of 40 s goes on for 300 s all the same."""
    monkeypatch.setattr(time, "sleep", lambda for_s: setattr(clock, "now_s", clock.now_s + for_s))
    traffic = Traffic(SimpleNamespace(limit=TimeLimit(40.0, clock), contract=contract()), "ns", list)
    run = Slowly(waits)

    def load():
        return sum(traffic.answers_within(run, 0.5) for _ in range(600))

    if not stopped:
        assert load() == 600 / waits
        return
    with pytest.raises(TrialStopped, match="waiting for answers of load loop"):
        load()
    assert clock.now_s - 100 == pytest.approx(60)
