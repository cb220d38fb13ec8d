"""What may start next, and how long what is not finished may take by the wall clock."""

from dataclasses import dataclass

import pytest

from seatrial.observation import Observation
from seatrial.suite.agenda import OVERRUN_S, Agenda
from seatrial.suite.registry import load_trials
from seatrial.trials.trial import USUAL_S, Trial, trial


@dataclass(frozen=True, slots=True)
class First(Observation):
    """What others build on."""


def make(name, lasts_s, *, timed=False, observes=None, after=()):
    return Trial(name, observes or type(name, (Observation,), {}), after, (), timed, 50, lambda context: None, lasts_s)


A, B, C, D = (make(name, lasts_s) for name, lasts_s in (("a", 10), ("b", 20), ("c", 30), ("d", 40)))


def left_s(*waiting, lanes=1, running=None, now_s=0.0):
    return Agenda(lanes, waiting, running or {}).left_s(now_s)


def test_in_one_lane_trials_follow_one_another():
    assert left_s(A, B, C) == 60


def test_nothing_is_left_when_all_have_ended():
    assert left_s() == 0


def test_with_a_lane_for_each_the_longest_counts():
    assert left_s(A, B, C, lanes=3) == 30


def test_a_lane_that_becomes_free_takes_the_next_in_order():
    assert left_s(A, B, C, D, lanes=2) == 60  # c follows a at 10, d follows b at 20
    assert left_s(C, B, A, lanes=2) == 30


def test_what_runs_has_its_own_time_to_go():
    assert left_s(running={C: 100.0}, now_s=112.0) == 18
    assert left_s(A, running={C: 100.0}, now_s=112.0) == 28
    assert left_s(A, running={C: 100.0}, now_s=112.0, lanes=2) == 18


def test_what_has_overrun_counts_a_little():
    assert left_s(running={C: 0.0}, now_s=500.0) == OVERRUN_S
    assert left_s(A, running={C: 0.0}, now_s=500.0) == OVERRUN_S + 10


def test_a_trial_waits_for_what_it_builds_on():
    first = make("first", 25, observes=First)
    second = make("second", 5, after=(First,))
    assert left_s(second, first, lanes=3) == 30
    assert left_s(second, running={first: 0.0}, now_s=20.0, lanes=3) == 10
    assert left_s(second, now_s=20.0, lanes=3) == 5


@pytest.mark.parametrize(("lanes", "expected_s"), [(1, 30), (2, 30), (3, 20), (4, 10)])
def test_one_lane_of_several_is_kept_free_of_timed_trials(lanes, expected_s):
    timed = [make(name, 10, timed=True) for name in "xyz"]
    assert left_s(*timed, lanes=lanes) == expected_s


def test_the_free_lane_is_for_what_is_not_timed():
    assert left_s(make("x", 10, timed=True), make("y", 10, timed=True), B, lanes=2) == 20


def test_a_trial_that_begins_anew_has_its_whole_time_again():
    agenda = Agenda(1, (A,)).begin(A, 0.0)
    assert (agenda.left_s(8.0), agenda.begin(A, 8.0).left_s(8.0)) == (OVERRUN_S, 10)


def test_what_has_ended_makes_room():
    agenda = Agenda(1, (A, B))
    assert agenda.next() is A
    assert agenda.begin(A, 0.0).next() is None
    assert agenda.begin(A, 0.0).end(A).next() is B
    assert agenda.end(A).next() is B
    assert agenda.begin(A, 0.0).end(A).end(B) == Agenda(1, ())


def test_an_agenda_is_a_value():
    agenda = Agenda(2, (A, B))
    agenda.begin(A, 0.0)
    agenda.left_s(0.0)
    assert agenda == Agenda(2, (A, B))


def test_a_trial_says_how_long_it_lasts_or_counts_as_usual():
    def observe(context: object) -> First:
        raise NotImplementedError

    assert trial("x")(observe).lasts_s == USUAL_S
    assert trial("x", lasts_s=7)(observe).lasts_s == 7


def test_every_trial_of_the_engine_says_how_long_it_lasts():
    trials = load_trials().values()
    assert {each.name for each in trials if each.lasts_s == USUAL_S} == set()
    waiting = tuple(sorted(trials, key=lambda each: each.order))
    assert Agenda(1, waiting).left_s(0.0) == sum(each.lasts_s for each in trials)
