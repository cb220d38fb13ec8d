"""What a victim is given to do fits into its concurrency limit, with a place for the request near the budget."""

from collections import Counter

import pytest

from seatrial.contract import LongCase
from seatrial.traffic.plan import OpenLoop, PodTarget
from seatrial.trials.drain_mix import NEAR_BUDGET, STREAMS_BEGIN_S, Mix, Moments, loads
from tests.helpers.observations import contract

LONG = {"request": {"seconds": "{seconds}"}, "expect": {"answer": 0}, "seconds": 4}
AT = Moments(start_s=0.0, delete_s=5.0, sigterm_s=5.1, grace_s=12.0)


def sent(mix):
    made = contract()
    made = made.model_copy(
        update={"inference": made.inference.model_copy(update={"long": LongCase.model_validate(LONG)})}
    )
    target = PodTarget("victim", "10.0.0.1", 8080)
    found = loads(made, mix, target, target, AT, 6.0, 0, 1)
    return {load.name: load for load in found}


def test_without_a_limit_the_mix_is_whole():
    assert Mix.fitting(None, 2, 0.15, streams=True) == Mix.fitting(100, 2, 0.15, streams=True) == Mix()
    counted = Counter({name: len(load.arrivals_s) for name, load in sent(Mix()).items() if isinstance(load, OpenLoop)})
    assert (counted["long"], counted["half-sent"], counted[NEAR_BUDGET]) == (8, 2, 1)


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("slots", range(1, 24))
def test_before_the_request_near_the_budget_there_is_a_slot_left(slots, streams):
    mix = Mix.fitting(slots, 2, 0.15, streams=streams)
    held = mix.longs + mix.kept + mix.streams
    assert held <= max(0, slots - 3) or (slots < 3 and held == 0)
    assert mix.streams <= len(STREAMS_BEGIN_S) * streams
    assert mix.service_rps * 0.15 <= 0.3 * slots * 2 + 1e-9
    found = sent(mix)
    nearly_s = min(found[NEAR_BUDGET].arrivals_s)
    assert min(found["short"].arrivals_s) > max(found[NEAR_BUDGET].arrivals_s)
    assert all(at_s > nearly_s for at_s in found.get("half-sent", found["short"]).arrivals_s)


def test_a_load_that_does_not_fit_is_left_out_and_the_light_one_through_the_service_stays():
    found = sent(Mix.fitting(1, 2, 0.15, streams=False))
    assert set(found) == {"short", "connect", "service", NEAR_BUDGET}
    assert len(found[NEAR_BUDGET].arrivals_s) == 3
