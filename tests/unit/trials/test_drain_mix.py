"""What a victim is given to do fits into its concurrency limit, with a place for the request near the budget."""

from collections import Counter
from dataclasses import replace

import pytest

from seatrial.contract import Contract, LargeCase, LongCase
from seatrial.ledger import ledger
from seatrial.traffic.plan import OpenLoop, PodTarget
from seatrial.trials.drain_loads import Moments, Targets, loads
from seatrial.trials.drain_mix import (
    EARLY,
    EARLY_AT_OTHER,
    EARLY_IN,
    FURTHER,
    LARGE,
    LARGE_HALF_SENT,
    NEAR_BUDGET,
    NEAREST,
    NEARLY,
    STREAMS_BEGIN_S,
    Further,
    Mix,
    nearly_after,
)
from tests.helpers.drains import reset
from tests.helpers.observations import contract, row

LONG = {"request": {"seconds": "{seconds}"}, "expect": {"answer": 0}, "seconds": 4}
LARGEST = {"request": {"text": "{repeat}end"}, "expect": {"answer": 0}, "repeat": {"text": "so ", "times": 900}}
AT = Moments(start_s=0.0, delete_s=5.0, sigterm_s=5.1, grace_s=12.0)
VICTIM, OTHER = (PodTarget(name, "10.0.0.1", 8080) for name in ("victim", "other"))
BUDGET_S = 6.0


def sent(mix, at=AT):
    made = contract()
    asked = {"long": LongCase.model_validate(LONG), "large": LargeCase.model_validate(LARGEST)}
    made = made.model_copy(update={"inference": made.inference.model_copy(update=asked)})
    return by_name(made, mix, at)


def by_name(made, mix, at=AT, index=0):
    return {load.name: load for load in loads(made, mix, Targets(VICTIM, OTHER, VICTIM), at, BUDGET_S, index, 1)}


def asked_s(load):
    """How long a load's one long case is asked to take, and how long before SIGTERM it is sent."""
    return float(load.exchanges[0].case.rpartition("-")[2]), AT.sigterm_s - load.arrivals_s[0]


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
    held = mix.longs + mix.kept + mix.streams + mix.early
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


# the request that is old at SIGTERM


def test_the_early_request_is_old_at_sigterm_and_has_as_much_left_as_the_one_near_the_budget():
    found = sent(Mix())
    (seconds, age_s), (nearly_s, _) = asked_s(found[EARLY]), asked_s(found[NEAR_BUDGET])
    assert age_s == pytest.approx(BUDGET_S / 2)
    assert seconds - age_s == pytest.approx(nearly_s) == NEARLY * BUDGET_S
    assert seconds > BUDGET_S


def test_the_same_request_goes_to_a_pod_that_stays():
    found = sent(Mix())
    assert (found[EARLY].target, found[EARLY_AT_OTHER].target) == (VICTIM, OTHER)
    assert found[EARLY].exchanges == found[EARLY_AT_OTHER].exchanges
    assert list(found[EARLY].arrivals_s) == list(found[EARLY_AT_OTHER].arrivals_s)


def test_the_early_request_is_no_older_than_its_round():
    late = Moments(start_s=4.0, delete_s=5.0, sigterm_s=5.1, grace_s=12.0)
    found = sent(Mix(), late)
    assert found[EARLY].arrivals_s[0] == pytest.approx(4.0)
    assert asked_s(found[EARLY])[0] == pytest.approx(1.1 + NEARLY * BUDGET_S)


@pytest.mark.parametrize("slots", range(1, 24))
def test_the_early_request_has_a_slot_or_is_not_sent(slots):
    found = sent(Mix.fitting(slots, 2, 0.15, streams=False, large=False))
    assert ({EARLY, EARLY_AT_OTHER} <= set(found)) == (slots >= EARLY_IN)


# how near to the budget


def first_round(took_s, **other):
    return ledger([row(NEAR_BUDGET, 9.95, took_s, **other)])


@pytest.mark.parametrize(("took_s", "nearly"), [(4.75, NEAREST), (5.0, NEAREST), (5.1, NEARLY), (5.8, NEARLY)])
def test_a_first_round_that_was_held_up_keeps_the_next_ones_from_coming_nearer(took_s, nearly):
    assert nearly_after(first_round(took_s), 10.0, BUDGET_S) == nearly


def test_without_an_answer_or_with_hardly_any_room_the_next_ones_come_no_nearer():
    assert nearly_after(first_round(4.75, correct=0), 10.0, BUDGET_S) == NEARLY
    assert nearly_after(ledger([]), 10.0, BUDGET_S) == NEARLY
    assert nearly_after(first_round(1.6), 10.0, 2.0) == NEARLY


def test_of_several_that_were_tried_those_that_were_answered_tell():
    rows = [row(NEAR_BUDGET, 9.7, 4.75), reset(row(NEAR_BUDGET, 9.8, 0.01), 9.81)]
    assert nearly_after(ledger(rows), 10.0, BUDGET_S) == NEAREST


def test_the_request_near_the_budget_is_as_long_as_the_round_says():
    assert asked_s(sent(replace(Mix(), nearly=NEAREST))[NEAR_BUDGET])[0] == pytest.approx(NEAREST * BUDGET_S)


# further APIs

ONE, TWO, SHORT_ONLY = Further("one", 12, takes_long=True), Further("two", 6, takes_long=True), Further("short-only", 2)


def several():
    """A default API and three further ones, one of them without a long case."""
    asked = {
        name: {
            "path": f"/{name}",
            "cases": [{"request": {"text": f"{name} {n}"}, "expect": {"answer": f"{name} {n}"}} for n in range(16)],
            **({} if name == "short-only" else {"long": LONG}),
        }
        for name in ("first", "one", "two", "short-only")
    }
    return Contract.model_validate({"apiVersion": "seatrial/v1", "name": "several", "apis": asked})


def test_without_further_apis_nothing_is_sent_to_them():
    assert FURTHER not in sent(Mix())


def test_cases_of_further_apis_take_the_place_of_as_many_short_ones():
    alone, beside = (by_name(several(), replace(Mix(), further=each)) for each in ((), (ONE, SHORT_ONLY)))
    assert len(alone["short"].arrivals_s) == 40
    assert len(beside["short"].arrivals_s) + len(beside[FURTHER].arrivals_s) == 40
    for found in (alone, beside):
        arrivals_s = found["short"].arrivals_s
        assert (arrivals_s[0], arrivals_s[-1]) == pytest.approx((AT.sigterm_s - 0.3, AT.sigterm_s + 0.48), abs=0.02)


def test_cases_of_every_further_api_are_sent_around_sigterm_and_name_theirs():
    found = by_name(several(), replace(Mix(), further=(ONE, TWO, SHORT_ONLY)))[FURTHER]
    assert Counter(exchange.path for exchange in found.exchanges) == {"/one": 12, "/two": 6, "/short-only": 2}
    assert {exchange.case.split()[0] for exchange in found.exchanges} == {"one", "two", "short-only"}
    assert list(found.picks) == list(range(20))
    assert list(found.arrivals_s) == sorted(found.arrivals_s)
    assert AT.sigterm_s - 0.2 <= min(found.arrivals_s) < AT.sigterm_s < max(found.arrivals_s) < AT.sigterm_s + 0.3
    assert found.target == VICTIM


def test_from_the_second_round_on_each_further_api_in_turn_is_the_only_one_asked_for_what_takes_seconds():
    mix = replace(Mix(), further=(SHORT_ONLY, ONE, TWO))
    rounds = [mix.of_round(index, NEARLY) for index in range(4)]
    assert [each.asks for each in rounds] == ["", "one", "two", ""]
    for index, each in enumerate(rounds):
        found = by_name(several(), each, index=index)
        paths = {found[name].exchanges[0].path for name in ("long", NEAR_BUDGET, EARLY, EARLY_AT_OTHER)}
        assert paths == {f"/{each.asks or 'first'}"}
        assert {FURTHER, "short", "half-sent", "kept-0"} <= set(found)
    assert [len(each.large_before_s + each.large_half_sent_before_s) for each in rounds] == [3, 0, 0, 3]


def test_a_further_api_is_asked_for_nothing_longer_than_it_was_seen_to_answer():
    mix = replace(Mix(), further=(ONE,))
    assert [mix.of_round(index, NEAREST).nearly for index in (0, 1, 2)] == [NEAREST, NEARLY, NEAREST]
