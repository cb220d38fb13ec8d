"""What is not vouched for is not judged, and a broken check is never a pass."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from seatrial.contract import Api, Contract, Drain, Limits, RateLimit, RetryAfter, read_contract
from seatrial.errors import INTERRUPTS
from seatrial.observation import GeneratorHealth, Observation, Timeline
from seatrial.suite import RunObservations
from seatrial.suite.check import Check
from seatrial.suite.judge import judge
from seatrial.verdict import Outcome, failed, passed
from tests.helpers.observations import REPOSITORY, checks, common, contract, row


@dataclass(frozen=True, slots=True)
class One(Observation):
    """An observation of its own."""


@dataclass(frozen=True, slots=True)
class Two(Observation):
    """Another."""


CONTRACT = contract(limits={"rate": {"per_second": 1, "burst": 1}})
GOOD = One(**common())


def check(function, timed=True):
    return Check("X1", "MUST", timed, function.__name__, "", function, Path("x.py"))


def passes(one: One):
    return passed("a", "b", n=3)


def fails(one: One):
    return failed("a", "b", "c")


def outcome(function, observations, lost=None, **how):
    return judge(check(function, **how), CONTRACT, observations, lost or {}).outcome


def test_what_was_seen_is_judged():
    assert outcome(passes, {One: GOOD}) is Outcome.PASS
    assert outcome(fails, {One: GOOD}) is Outcome.FAIL


def test_a_promise_that_is_not_made_is_skipped_whatever_was_seen():
    def drains(drain: Drain, one: One):
        raise AssertionError("not to be called")

    for observations in ({}, {One: GOOD}):
        found = judge(check(drains), CONTRACT, observations, {})
        assert (found.outcome, found.found) == (Outcome.SKIPPED, "the contract does not promise drain")


def test_a_check_is_told_where_each_promise_that_it_needs_stands_but_not_what_leads_there():
    def honest(limit: RateLimit, retry_after: RetryAfter, one: One):
        return passed("a", "b", n=1)

    def both(drain: Drain, limits: Limits, one: One):
        return passed("a", "b", n=1)

    assert check(honest).promise == "limits.rate.reject.retry_after"
    assert check(both).promise == "drain, limits.rate|limits.concurrency"
    assert check(passes).promise == ""
    assert judge(check(both), contract(), {One: GOOD}, {}).found.endswith(check(both).promise)
    assert judge(check(both), CONTRACT, {One: GOOD}, {}).found.endswith("promise drain")
    assert "promise limits.rate.reject.retry_after" in judge(check(honest), contract(), {One: GOOD}, {}).found


def test_promises_and_what_every_contract_has_are_handed_over_by_type():
    def named(agreed: Contract, asked: Api, limit: RateLimit, drain: Drain | None, one: One):
        return passed("a", f"{agreed.name} {asked.path} {float(limit.burst):g} {drain}", n=1)

    assert judge(check(named), CONTRACT, {One: GOOD}, {}).found == "subject /infer 1 None"


def test_a_check_may_ask_for_everything_seen():
    def everything(run: RunObservations):
        return passed("a", f"{[seen.trial for seen in run]}, {dict(run.lost)}", n=len(run))

    found = judge(check(everything), CONTRACT, {One: GOOD}, {Two: "broke"})
    assert (found.found, found.n) == ("['made-up'], {'Two': 'broke'}", 1)
    assert judge(check(everything), CONTRACT, {}, {}).outcome is Outcome.ERROR
    gap = replace(GOOD, timeline=Timeline((), ("x",)))
    assert judge(check(everything), CONTRACT, {One: gap}, {}).outcome is Outcome.ERROR


def test_a_lost_trial_is_an_error_that_says_why():
    found = judge(check(passes), CONTRACT, {}, {One: "the chart would not install"})
    assert (found.outcome, found.found) == (Outcome.ERROR, "the chart would not install")
    assert outcome(passes, {}) is Outcome.ERROR


def test_an_optional_observation_may_be_absent_but_not_lost():
    def either(one: One | None, two: Two | None):
        return passed("a", f"{one is None} {two is None}", n=1)

    assert judge(check(either), CONTRACT, {One: GOOD}, {}).found == "False True"
    assert outcome(either, {One: GOOD}, {Two: "broke"}) is Outcome.ERROR


HEALTH = GOOD.generator


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"generator": replace(HEALTH, self_test=("a reset was called eof",))}, Outcome.ERROR),
        ({"timeline": Timeline((), ("Pod: 410 Gone",))}, Outcome.ERROR),
        ({"generator": replace(HEALTH, clock_bound_s=0.0201)}, Outcome.INCONCLUSIVE),
        ({"generator": replace(HEALTH, clock_bound_s=0.02)}, None),
        ({"generator": replace(HEALTH, start_lag_p99_s=0.0051)}, Outcome.INCONCLUSIVE),
        ({"generator": replace(HEALTH, start_lag_p99_s=0.0051, lag_p99_bound_s=0.015)}, None),
        ({"generator": replace(HEALTH, start_lag_max_s=0.251)}, Outcome.INCONCLUSIVE),
        ({"generator": replace(HEALTH, start_lag_max_s=0.25, start_lag_p99_s=0.005)}, None),
        ({"generator": replace(HEALTH, scheduled=100, sent=99)}, Outcome.INCONCLUSIVE),
    ],
    ids=[
        "self-test",
        "gap",
        "clock",
        "clock at its bound",
        "lag p99",
        "slow service",
        "lag max",
        "at bounds",
        "unsent",
    ],
)
@pytest.mark.parametrize("function", [passes, fails])
def test_a_doubtful_measurement_neither_passes_nor_fails(changed, expected, function):
    undoubted = Outcome.PASS if function is passes else Outcome.FAIL
    assert outcome(function, {One: replace(GOOD, **changed)}) is (expected or undoubted)


def test_a_check_that_does_not_count_from_the_schedule_bears_a_late_start_but_nothing_unsent():
    late = replace(GOOD, generator=replace(HEALTH, start_lag_max_s=1.0))
    assert outcome(passes, {One: late}, timed=False) is Outcome.PASS
    unsent = replace(GOOD, generator=GeneratorHealth(2, 1, 0.0, 0.0, 0.0, 0.0))
    assert outcome(passes, {One: unsent}, timed=False) is Outcome.INCONCLUSIVE


def test_every_observation_is_vouched_for():
    def both(one: One, two: Two):
        return passed("a", "b", n=1)

    gap = replace(Two(**common()), timeline=Timeline((), ("x",)))
    assert outcome(both, {One: GOOD, Two: gap}) is Outcome.ERROR


@pytest.mark.parametrize("n", [None, 0])
def test_a_pass_without_a_count_is_an_error(n):
    def hollow(one: One):
        return passed("a", "b", n=n)

    assert outcome(hollow, {One: GOOD}) is Outcome.ERROR


@pytest.mark.parametrize("error", [ZeroDivisionError(), SystemExit(0), pytest.fail.Exception("lost")], ids=repr)
def test_a_check_that_raises_is_an_error_that_names_it(error):
    def raises(one: One):
        raise error

    found = judge(check(raises), CONTRACT, {One: GOOD}, {})
    assert found.outcome is Outcome.ERROR
    assert f"X1 raised {error!r}" in found.found


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_an_interrupt_while_a_check_is_judged_stays_an_interrupt(interrupt):
    def long(one: One):
        raise interrupt

    with pytest.raises(interrupt):
        judge(check(long), CONTRACT, {One: GOOD}, {})


STOPPED = replace(GOOD, trial="one", stopped="stopped after 60 s, 1.5 times the 40 s it takes: waiting")


def test_of_half_a_trial_nothing_passes():
    found = judge(check(passes), CONTRACT, {One: STOPPED}, {})
    assert (found.outcome, found.expected) == (Outcome.INCONCLUSIVE, "trial one at its end")
    assert found.found == f"it was {STOPPED.stopped}"


def test_what_half_a_trial_showed_to_be_broken_is_broken():
    found = judge(check(fails), CONTRACT, {One: STOPPED}, {})
    assert found.outcome is Outcome.FAIL
    assert found.evidence == (f"trial one was {STOPPED.stopped}",)


def test_a_check_that_breaks_on_half_a_trial_says_that_it_was_stopped():
    def breaks(one: One):
        raise IndexError

    assert judge(check(breaks), CONTRACT, {One: STOPPED}, {}).expected == "trial one at its end"
    late = replace(STOPPED, generator=GeneratorHealth(5, 3, 0.0, 0.0, 0.0, 0.0))
    assert judge(check(passes), CONTRACT, {One: late}, {}).expected == "trial one at its end"


TOY = read_contract(REPOSITORY / "tests" / "helpers" / "toy" / "contract.yaml")
LOADS = ("lone", "full", "loop", "service", "closed", "baseline", "overload", "saturate", "short", "long", "calibrate")


@pytest.mark.parametrize("id", checks())
def test_a_check_says_nothing_of_a_trial_that_was_stopped_before_it_came_to_its_stimulus(id):
    """All that came until then was right; every field that the trial had not filled in has its default."""
    rows = [row(load, 5.0 + n) for load in LOADS for n in range(5)]
    seen = {
        kind: kind(**{**common(rows), "trial": kind.__name__, "stopped": STOPPED.stopped})
        for kind in checks()[id].observes().values()
    }
    found = judge(checks()[id], TOY, seen, {})
    assert found.outcome in (Outcome.INCONCLUSIVE, Outcome.SKIPPED), found
