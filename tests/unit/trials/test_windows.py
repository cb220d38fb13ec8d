"""How long and how often: what a run takes, and that something else can be handed over."""

import inspect
import sys
from dataclasses import asdict
from functools import partial
from types import SimpleNamespace

import pytest

from seatrial.observation import Observation
from seatrial.suite.registry import load_trials
from seatrial.trials.trial import run_trial, trial
from tests.helpers.observations import common

IN_A_RUN = {
    "autoscaling": {
        "settled_s": 45.0,
        "idle_most_s": 90.0,
        "calibration_most_s": 75.0,
        "samples": 2,
        "reaction_most_s": 90.0,
        "sync_most_s": 35.0,
    },
    "batching": {
        "full_batches": 12,
        "lone_rows": (60, 120),
        "quiet_rows": (6, 12),
        "trickle_for_s": 10.0,
        "bursts": 14,
        "poison_places": 3,
        "afterwards": 16,
    },
    "concurrency": {
        "large_alone": 2,
        "large_in_company": 4,
        "lone_cases": 12,
        "answers": 2000,
        "least_for_s": 6.0,
        "patience_s": 120.0,
        "longest_s": 1200.0,
        "few_for_s": 4.0,
        "repetitions": 10,
    },
    "dependency-outage": {"least_s": 20.0, "recovered_within_s": 30.0, "lead_s": 5.0},
    "install": {"cases": 20},
    "overload": {
        "lone_cases": 30,
        "closed_s": 21.0,
        "overload_s": 45.0,
        "settle_s": 5.0,
        "wanted_rows": 300,
        "wanted_over": 600,
        "probes": 120,
    },
    "pod-deletion": {"rounds": 3, "lead_s": 5.0, "idle_s": 2.0},
    "rate-limit": {"saturated_s": 20.0, "honest_rounds": 10, "search_rounds": 5, "slow_rounds": 4, "probes": 120},
    "upgrade": {"calibration_s": 7.0, "lead_s": 5.0, "wanted_rows": 2000, "most_upgrades": 6},
    "weights": {"least_s": 60.0, "installs": 3.0, "least_install_s": 15.0, "repaired_cases": 16},
}
TRIALS = {found.name: found for found in load_trials().values()}


@pytest.mark.parametrize("name", TRIALS)
def test_what_a_run_takes_is_what_checks_were_written_for(name):
    """Verdicts rest on these figures: a change of one is a change of the checks."""
    given = inspect.signature(TRIALS[name].run).parameters["windows"].default
    assert type(given) is sys.modules[TRIALS[name].run.__module__].Windows
    assert asdict(given) == IN_A_RUN[name]


class Seen(Observation):
    """What a made-up trial sees."""


def test_a_parameter_by_keyword_is_no_need_and_can_be_handed_over():
    @trial("looking")
    def looking(context: object, *, rounds: int = 3) -> Seen:
        return Seen(**{**common(), "namespace": f"{rounds} rounds"})

    assert looking.needs == ()
    context = SimpleNamespace(limited=lambda limit: None)
    assert run_trial(looking, context, {}).namespace == "3 rounds"
    assert looking.run(None, rounds=1).namespace == partial(looking.run, rounds=1)(None).namespace == "1 rounds"
