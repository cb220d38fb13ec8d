"""Each line on stderr says since when, how many checks are judged, how long it may still take, and what happens."""

import re
from dataclasses import dataclass

import pytest

from seatrial.cli._progress import Narrator, Silence, about
from seatrial.observation import Observation
from seatrial.suite.runner import Ended
from seatrial.trials.trial import Trial
from seatrial.verdict import passed
from tests.helpers.observations import checks


@dataclass(frozen=True, slots=True)
class One(Observation):
    """What a trial sees."""


TRIAL = Trial("one", One, (), (), False, 50, lambda world: None)


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0.1, "about 10 s"),
        (31, "about 40 s"),
        (89.9, "about 90 s"),
        (90, "about 2 min"),
        (280, "about 5 min"),
        (3600, "about 60 min"),
    ],
)
def test_a_forecast_is_no_more_exact_than_it_is(duration_s, text):
    assert about(duration_s) == text


@pytest.fixture
def told(capsys):
    def lines():
        return [re.sub(r"^ \d:\d\d ", "", line) for line in capsys.readouterr().err.splitlines()]

    return lines


def test_the_forecast_is_said_first_and_then_in_every_line_while_trials_are_left(told):
    d1, d5 = checks()["D1"], checks()["D5"]
    narrator = Narrator({"D1": d1, "D5": d5})
    left = [300.0, 150.0, 40.0, 0.0]
    narrator.doing("cluster local")
    narrator.plan(8, lambda: left.pop(0))
    narrator.doing("images")
    narrator.trial(Ended(TRIAL, None, "no room", 12.4, None))
    narrator.verdict(d1, passed("a", "34 answered", n=34))
    assert told() == [
        f"{'[0/2]':25} cluster local",
        f"{'[0/2]':25} 8 trials, about 5 min",
        f"{'[0/2, about 2 min left]':25} images",
        f"{'[0/2, about 40 s left]':25} trial one took 12 s and broke: no room",
        f"{'[1/2]':25} pass         D1   drain-in-flight-finishes: 34 answered",
    ]


@pytest.mark.parametrize(("trials", "said"), [(1, "1 trial, about 30 s"), (0, "no trials")])
def test_the_plan_counts_trials(told, trials, said):
    Narrator({}).plan(trials, lambda: 30.0 * trials)
    assert told() == [f"{'[0/0]':25} {said}"]


def test_silence_tells_nothing(told):
    silence = Silence()
    silence.plan(1, lambda: 1.0)
    silence.doing("x")
    silence.trial(Ended(TRIAL, None, "", 1.0, None))
    silence.verdict(checks()["D1"], passed("a", "b", n=1))
    assert told() == []
