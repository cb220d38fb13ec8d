"""Trials run once each, side by side where they may, and their checks are judged as soon as they can be."""

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from seatrial.contract import Drain
from seatrial.errors import ClusterError
from seatrial.observation import Observation, Remains, Timeline
from seatrial.suite import RunObservations
from seatrial.suite.check import Check
from seatrial.suite.runner import Suite
from seatrial.trials.context import CasesNotAnswered, WorkloadNotFound
from seatrial.trials.limit import TrialStopped
from seatrial.trials.trial import USUAL_S, Trial
from seatrial.verdict import Outcome, passed
from tests.helpers.observations import common, contract


@dataclass(frozen=True, slots=True)
class One(Observation):
    """What the first trial sees."""


@dataclass(frozen=True, slots=True)
class Two(Observation):
    """What the second trial sees."""


@dataclass(frozen=True, slots=True)
class Three(Observation):
    """What the third trial sees."""


def one(seen: One):
    return passed("a", "one", n=1)


def two(seen: Two):
    return passed("a", "two", n=1)


def three(seen: Three):
    return passed("a", "three", n=1)


def either(first: One | None, second: Two | None):
    return passed("a", f"{first is not None} {second is not None}", n=1)


def drained(drain: Drain, seen: Two):
    return passed("a", f"{float(drain.budget_s):g}", n=1)


def check(id, function, timed=True):
    return Check(id, "MUST", timed, function.__name__, "", function, Path("x.py"))


def trial(kind, run=None, after=(), promises=(), order=50, timed=False):
    return Trial(kind.__name__.lower(), kind, after, promises, timed, order, run or (lambda *_: kind(**common())))


class TrialContext(SimpleNamespace):
    run_id = "r"
    contract = None

    def say(self, text):
        self.said = text

    def under(self, run_id, contract):
        return TrialContext(run_id=run_id)

    def limited(self, limit):
        return TrialContext(run_id=self.run_id, limit=limit)


def run(checks, trials, promises=None, lanes=2):
    told = []
    suite = Suite(
        promises or contract(),
        {each.id: each for each in checks},
        {each.observes: each for each in trials},
        lambda ended: told.append((ended.trial.name, ended.reason)),
        lambda check, verdict: told.append((check.id, verdict.outcome)),
        lanes=lanes,
    )
    return suite.run(TrialContext()), told


def test_a_trial_runs_once_for_all_its_checks():
    ran = []

    def apply(context):
        ran.append(1)
        return One(**common())

    verdicts, told = run([check("A1", one), check("A2", one)], [trial(One, apply)])
    assert [verdict.outcome for verdict in verdicts.values()] == [Outcome.PASS, Outcome.PASS]
    assert (len(ran), told[0]) == (1, ("one", ""))


def test_only_trials_that_a_check_needs_are_run():
    _, told = run([check("A1", one)], [trial(One), trial(Two)])
    assert [name for name, _ in told] == ["one", "A1"]


def test_verdicts_keep_the_order_of_the_checks_and_are_told_as_soon_as_they_can_be():
    slow = trial(One, lambda _: time.sleep(0.05) or One(**common()))
    verdicts, told = run([check("A1", one), check("A2", two)], [slow, trial(Two)])
    assert list(verdicts) == ["A1", "A2"]
    assert [name for name, _ in told] == ["two", "A2", "one", "A1"]


@pytest.mark.parametrize(
    ("error", "said"),
    [(ClusterError("no room"), "no room"), (KeyError("x"), "KeyError: 'x' at "), (ValueError("y"), "test_runner.py")],
)
def test_a_trial_that_raises_gives_its_checks_an_error_and_leaves_the_others_alone(error, said):
    def breaks(context):
        raise error

    verdicts, told = run([check("A1", one), check("A2", two)], [trial(One, breaks), trial(Two)])
    assert [verdict.outcome for verdict in verdicts.values()] == [Outcome.ERROR, Outcome.PASS]
    assert said in verdicts["A1"].found
    assert said in dict(told)["one"]


def test_what_builds_on_a_lost_trial_is_not_run_and_says_why():
    def breaks(context):
        raise ClusterError("no room")

    ran = []
    second = trial(Two, lambda *_: ran.append(1), after=(One,))
    verdicts, _ = run([check("A1", two)], [trial(One, breaks), second])
    assert (verdicts["A1"].outcome, ran) == (Outcome.ERROR, [])
    assert verdicts["A1"].found == "it needs the trial one: no room"


def test_a_trial_is_handed_what_it_builds_on():
    def second(context, first):
        return Two(**{**common(), "namespace": f"after {first.namespace}"})

    def told(seen: Two):
        return passed("a", seen.namespace, n=1)

    verdicts, _ = run([check("A1", told)], [trial(Two, second, after=(One,), order=1), trial(One, order=90)])
    assert verdicts["A1"].found == "after ns"


def stopped(kind, seen=True, **facts):
    """A trial that is stopped, with what was seen until then or without."""

    def apply(context):
        error = TrialStopped("stopped after 60 s, 1.5 times the 40 s it takes: waiting")
        if seen:
            error.seen = {**common(), **facts}
        raise error

    return trial(kind, apply)


def test_a_stopped_trial_is_seen_as_far_as_it_came_and_its_checks_say_that_it_was_stopped():
    verdicts, told = run([check("A1", one), check("A2", two)], [stopped(One), trial(Two)])
    assert [verdict.outcome for verdict in verdicts.values()] == [Outcome.INCONCLUSIVE, Outcome.PASS]
    assert verdicts["A1"].expected == "trial one at its end"
    assert verdicts["A1"].found == "it was stopped after 60 s, 1.5 times the 40 s it takes: waiting"
    assert dict(told)["one"] == ""


def test_a_stopped_trial_of_which_nothing_is_known_is_lost_with_its_reason():
    verdicts, _ = run([check("A1", one)], [stopped(One, seen=False)])
    assert (verdicts["A1"].outcome, verdicts["A1"].found.startswith("stopped after 60 s")) == (Outcome.ERROR, True)


def test_what_builds_on_a_stopped_trial_is_not_run():
    ran = []
    second = trial(Two, lambda *_: ran.append(1), after=(One,))
    verdicts, _ = run([check("A1", two)], [stopped(One), second])
    assert (verdicts["A1"].outcome, ran) == (Outcome.ERROR, [])
    assert verdicts["A1"].found.startswith("it needs the trial one, which was stopped after 60 s")


def test_a_stopped_trial_is_not_run_again():
    late = replace(common()["generator"], start_lag_max_s=2.0)
    _, told = run([check("A1", one)], [stopped(One, generator=late)])
    assert [name for name, _ in told] == ["one", "A1"]


def test_a_check_for_which_there_is_no_trial_is_an_error():
    verdicts, _ = run([check("A1", one)], [])
    assert "no trial observes One" in verdicts["A1"].found


def test_a_check_whose_promise_is_not_made_starts_no_trial():
    verdicts, told = run([check("A1", drained)], [trial(Two)])
    assert (verdicts["A1"].outcome, told) == (Outcome.SKIPPED, [("A1", Outcome.SKIPPED)])


def test_an_optional_observation_is_waited_for_only_where_its_trial_is_promised():
    trials = [trial(One), trial(Two, promises=(Drain,))]
    assert run([check("A1", either)], trials)[0]["A1"].found == "True False"
    promises = contract(drain={"budget_s": 1})
    assert run([check("A1", either)], trials, promises)[0]["A1"].found == "True True"


class Together:
    """How many trials ran at one time: each stays until `expected` have been there together."""

    def __init__(self, expected):
        self.now, self.most, self.expected = 0, 0, expected
        self.changed = threading.Condition()

    def apply(self, kind):
        def run(context):
            with self.changed:
                self.now += 1
                self.most = max(self.most, self.now)
                self.changed.notify_all()
                self.changed.wait_for(lambda: self.most >= self.expected, timeout=20)
            time.sleep(0.02)  # for one more than expected to show itself
            with self.changed:
                self.now -= 1
            return kind(**common())

        return run


@pytest.mark.parametrize(("lanes", "most"), [(1, 1), (2, 2), (3, 3), (8, 3)])
def test_as_many_trials_run_side_by_side_as_there_are_lanes(lanes, most):
    side = Together(most)
    trials = [trial(kind, side.apply(kind)) for kind in (One, Two, Three)]
    run([check("A1", one), check("A2", two), check("A3", three)], trials, lanes=lanes)
    assert side.most == most


@pytest.mark.parametrize(("lanes", "most"), [(1, 1), (2, 1), (3, 2)])
def test_trials_that_are_timed_leave_a_lane_to_the_others(lanes, most):
    side = Together(most)
    trials = [trial(kind, side.apply(kind), timed=True) for kind in (One, Two, Three)]
    verdicts, _ = run([check("A1", one), check("A2", two), check("A3", three)], trials, lanes=lanes)
    assert side.most == most
    assert {verdict.outcome for verdict in verdicts.values()} == {Outcome.PASS}


def test_trials_of_a_lower_order_start_first():
    _, told = run([check("A1", one), check("A2", two)], [trial(One, order=60), trial(Two, order=20)], lanes=1)
    assert [name for name, _ in told if name in ("one", "two")] == ["two", "one"]


def test_a_check_of_everything_seen_is_judged_when_all_trials_have_ended():
    def everything(run: RunObservations):
        return passed("a", f"{len(run)} seen, {len(run.lost)} lost", n=len(run))

    def breaks(context):
        raise ClusterError("no room")

    trials = [trial(One, order=1), trial(Two, lambda _: Two(**{**common(), "trial": "two"})), trial(Three, breaks)]
    asked = [check("A1", everything), check("A2", one), check("A3", two), check("A4", three)]
    verdicts, told = run(asked, trials)
    assert verdicts["A1"].found == "2 seen, 1 lost"
    assert told[-1] == ("A1", Outcome.PASS)
    assert run([check("A1", everything)], trials)[0]["A1"].outcome is Outcome.ERROR


def late(kind):
    seen = kind(**common())
    return replace(seen, generator=replace(seen.generator, start_lag_max_s=2.0))


@pytest.mark.parametrize(("timed", "times"), [(True, 2), (False, 1)])
def test_a_trial_whose_generator_was_late_is_run_once_more_where_a_check_counts_on_it(timed, times):
    worlds = []

    def apply(context):
        worlds.append(context.run_id)
        return late(One)

    verdicts, _ = run([check("A1", one, timed=timed)], [trial(One, apply)])
    assert worlds == ["r", "r-again"][:times]
    assert verdicts["A1"].outcome is (Outcome.INCONCLUSIVE if timed else Outcome.PASS)


def test_a_trial_whose_generator_is_late_again_is_not_run_a_third_time_and_keeps_its_first_try():
    ended = []
    suite = Suite(
        contract(), {"A1": check("A1", one)}, {One: trial(One, lambda _: late(One))}, ended.append, lambda *_: None
    )
    context = TrialContext()
    suite.run(context)
    (only,) = ended
    assert only.first_try.reason == "the generator was up to 2.00 s late (p99 0.0 ms)"
    assert context.said == f"trial one: {only.first_try.reason}; once more"


def test_what_had_been_seen_of_a_trial_that_broke_is_handed_on():
    broken, ended = ClusterError("no room"), []
    broken.remains = Remains(Timeline(gaps=("one",)), ())

    def breaks(_):
        raise broken

    suite = Suite(contract(), {"A1": check("A1", one)}, {One: trial(One, breaks)}, ended.append, lambda *_: None)
    suite.run(TrialContext())
    assert [(each.seen, each.reason, each.remains) for each in ended] == [(None, "no room", broken.remains)]


def test_what_builds_on_a_promise_that_is_not_made_is_not_run_and_says_why():
    second = trial(Two, lambda *_: None, after=(One,))
    verdicts, _ = run([check("A1", two)], [trial(One, promises=(Drain,)), second])
    assert verdicts["A1"].found == "it needs the trial one: the contract does not promise that"


def test_how_long_is_left_is_known_before_during_and_after():
    left = []

    def apply(context):
        left.append(round(suite.left_s()))
        return One(**common())

    checks = {each.id: each for each in (check("A1", one), check("A2", drained))}
    trials = {One: trial(One, apply), Two: trial(Two)}
    suite = Suite(contract(), checks, trials, lambda *_: None, lambda *_: None)
    left.append(round(suite.left_s(), 6))
    suite.run(TrialContext())
    assert [*left, suite.left_s()] == pytest.approx([USUAL_S, USUAL_S, 0])


@pytest.mark.parametrize("refuted", [WorkloadNotFound, CasesNotAnswered])
def test_a_contract_that_is_refuted_ends_the_run_with_its_own_error(refuted):
    """What the contract says is wrong: its author acts, and no other trial could do better."""
    missing = refuted("c.yaml, workloads.a.selector: expected pods with app=x, found none of them")

    def apply(context):
        raise missing

    with pytest.raises(refuted) as raised:
        run([check("A1", one), check("A2", two)], [trial(One, apply), trial(Two)], lanes=1)
    assert (raised.value, raised.value.exit_code) == (missing, 3)
