"""What a victim is given to do fits into its concurrency limit, with a place for the request near the budget."""

from collections import Counter

import pytest

from seatrial.contract import LargeCase, LongCase
from seatrial.traffic.plan import OpenLoop, PodTarget
from seatrial.trials.drain_mix import LARGE, LARGE_HALF_SENT, NEAR_BUDGET, STREAMS_BEGIN_S, Mix, Moments, loads
from tests.helpers.observations import contract

LONG = {"request": {"seconds": "{seconds}"}, "expect": {"answer": 0}, "seconds": 4}
LARGEST = {"request": {"text": "{repeat}end"}, "expect": {"answer": 0}, "repeat": {"text": "so ", "times": 900}}
AT = Moments(start_s=0.0, delete_s=5.0, sigterm_s=5.1, grace_s=12.0)


def sent(mix):
    made = contract()
    asked = {"long": LongCase.model_validate(LONG), "large": LargeCase.model_validate(LARGEST)}
    made = made.model_copy(update={"inference": made.inference.model_copy(update=asked)})
    target = PodTarget("victim", "10.0.0.1", 8080)
    found = loads(made, mix, target, target, AT, 6.0, 0, 1)
    return {load.name: load for load in found}


def test_without_a_limit_the_mix_is_whole():
    assert (
        Mix.fitting(None, 2, 0.15, streams=True, large=True)
        == Mix.fitting(100, 2, 0.15, streams=True, large=True)
        == Mix()
    )
    counted = Counter({name: len(load.arrivals_s) for name, load in sent(Mix()).items() if isinstance(load, OpenLoop)})
    assert (counted["long"], counted["half-sent"], counted[NEAR_BUDGET]) == (8, 2, 1)
    assert (counted[LARGE], counted[LARGE_HALF_SENT]) == (2, 1)


def test_large_ones_come_whole_and_by_halves_and_do_not_hold_up_the_request_near_the_budget():
    found = sent(Mix())
    assert (found[LARGE].body_pause_s, found[LARGE_HALF_SENT].body_pause_s) == (None, 1.0)
    for name in (LARGE, LARGE_HALF_SENT):
        assert len(found[name].exchanges[0].body) > 2700
        assert found[NEAR_BUDGET].arrivals_s[0] < min(found[name].arrivals_s) <= AT.sigterm_s - 0.05
        assert found[name].groups == [0] * len(found[name].arrivals_s)


@pytest.mark.parametrize("slots", [None, 7, 16])
def test_a_large_one_that_takes_too_long_is_not_sent_and_all_else_is(slots):
    with_large, without = (Mix.fitting(slots, 2, 0.15, streams=False, large=large) for large in (True, False))
    assert not {LARGE, LARGE_HALF_SENT} & set(sent(without))
    assert set(sent(with_large)) - set(sent(without)) == (set() if slots == 7 else {LARGE, LARGE_HALF_SENT})
    assert sent(with_large)["short"].arrivals_s == sent(without)["short"].arrivals_s


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("slots", range(1, 24))
def test_before_the_request_near_the_budget_there_is_a_slot_left(slots, streams, large):
    mix = Mix.fitting(slots, 2, 0.15, streams=streams, large=large)
    held = mix.longs + mix.kept + mix.streams
    large_ones = len(mix.large_before_s) + len(mix.large_half_sent_before_s)
    assert held + large_ones <= max(0, slots - 3) or (slots < 3 and held + large_ones == 0)
    assert large_ones == (2 if large and slots >= 8 else 0)
    assert mix.streams <= len(STREAMS_BEGIN_S) * streams
    assert mix.service_rps * 0.15 <= 0.3 * slots * 2 + 1e-9
    found = sent(mix)
    nearly_s = min(found[NEAR_BUDGET].arrivals_s)
    assert min(found["short"].arrivals_s) > max(found[NEAR_BUDGET].arrivals_s)
    assert all(at_s > nearly_s for at_s in found.get("half-sent", found["short"]).arrivals_s)
    for name in {LARGE, LARGE_HALF_SENT} & set(found):
        assert nearly_s < min(found[name].arrivals_s) < min(found["short"].arrivals_s)


def test_a_load_that_does_not_fit_is_left_out_and_the_light_one_through_the_service_stays():
    found = sent(Mix.fitting(1, 2, 0.15, streams=False, large=True))
    assert set(found) == {"short", "connect", "service", NEAR_BUDGET}
    assert len(found[NEAR_BUDGET].arrivals_s) == 3
