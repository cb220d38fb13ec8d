"""Windows, policies and bounds between what metrics ask for and what an autoscaler does."""

import pytest

from seatrial.clusters.local.controllers.scaling_behavior import History, decide

NOW_S = 1_800_000_000.0


def spec(least=1, most=20, **behavior):
    return {"minReplicas": least, "maxReplicas": most, **({"behavior": behavior} if behavior else {})}


def decided(autoscaler, current, wanted, *, recommended=(), ups=(), downs=()):
    history = History(
        recommendations=[(NOW_S - ago_s, replicas) for ago_s, replicas in recommended],
        ups=[(NOW_S - ago_s, added) for ago_s, added in ups],
        downs=[(NOW_S - ago_s, removed) for ago_s, removed in downs],
    )
    return decide(autoscaler, current, wanted, history, NOW_S)


DEFAULTS = {"scaleUp": {}, "scaleDown": {}}
NO_DOWN_WINDOW = {"scaleDown": {"stabilizationWindowSeconds": 0}}


@pytest.mark.parametrize(
    ("current", "wanted", "replicas", "reason"),
    [
        (1, 3, 3, "DesiredWithinRange"),
        (1, 9, 5, "ScaleUpLimit"),  # four pods are more than 100 %
        (8, 20, 16, "ScaleUpLimit"),  # 100 % is more than four pods
        (15, 40, 20, "TooManyReplicas"),
        (4, 4, 4, "DesiredWithinRange"),
    ],
)
def test_by_default_it_may_double_or_add_four_in_15_s(current, wanted, replicas, reason):
    decision = decided(spec(**DEFAULTS), current, wanted)
    assert (decision.replicas, decision.limited[0]) == (replicas, reason)
    assert decision.is_limited == (replicas != wanted)


@pytest.mark.parametrize(("ago_s", "replicas"), [(299, 8), (301, 2)])
def test_scaling_down_waits_until_five_minutes_agree(ago_s, replicas):
    for behavior in ({}, DEFAULTS):
        decision = decided(spec(**behavior), 8, 2, recommended=[(ago_s, 8)])
        assert decision.replicas == replicas
        assert decision.able[0] == ("ScaleDownStabilized" if replicas == 8 else "ReadyForNewScale")


def test_the_highest_recommendation_of_the_window_wins():
    assert decided(spec(**DEFAULTS), 8, 2, recommended=[(100, 5), (50, 3)]).replicas == 5


def test_a_scale_up_window_takes_the_lowest_recommendation():
    up = {"scaleUp": {"stabilizationWindowSeconds": 60}}
    decision = decided(spec(**up), 2, 6, recommended=[(59, 3), (61, 1)])
    assert (decision.replicas, decision.able[0]) == (3, "ScaleUpStabilized")


def test_a_policy_counts_what_was_already_added_in_its_period():
    up = {"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}}
    assert decided(spec(**up), 4, 9, ups=[(59, 1)]).replicas == 5
    assert decided(spec(**up), 4, 9, ups=[(61, 1)]).replicas == 6


def test_a_percentage_of_growth_rounds_up_so_that_one_can_become_two():
    up = {"scaleUp": {"policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]}}
    assert decided(spec(**up), 1, 5).replicas == 2


def test_select_policy_min_takes_the_smallest_change_and_disabled_none():
    policies = [
        {"type": "Pods", "value": 1, "periodSeconds": 60},
        {"type": "Percent", "value": 50, "periodSeconds": 60},
    ]
    assert decided(spec(scaleUp={"policies": policies, "selectPolicy": "Min"}), 10, 20).replicas == 11
    assert decided(spec(scaleUp={"selectPolicy": "Disabled"}), 10, 20).replicas == 10
    down = {"policies": policies, "stabilizationWindowSeconds": 0}
    assert decided(spec(scaleDown=down | {"selectPolicy": "Max"}), 10, 1).replicas == 5
    assert decided(spec(scaleDown=down | {"selectPolicy": "Min"}), 10, 1).replicas == 9


def test_scaling_down_stops_at_min_replicas():
    decision = decided(spec(least=3, **NO_DOWN_WINDOW), 8, 1)
    assert (decision.replicas, decision.limited[0], decision.is_limited) == (3, "TooFewReplicas", True)


def test_without_behavior_it_at_most_doubles():
    assert decided(spec(), 1, 9).replicas == 4
    assert decided(spec(), 4, 20).replicas == 8
