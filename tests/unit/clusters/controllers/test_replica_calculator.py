"""The arithmetic of the HorizontalPodAutoscaler, with the examples of its documentation and the edges of its code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.clusters.local.controllers.replica_calculator import (
    MetricsUnavailable,
    Sample,
    by_average,
    by_utilization,
    within_tolerance,
)
from seatrial.clusters.local.store import timestamp

NOW_S = 1_800_000_000.0
OLD_S = NOW_S - 3600


def pod(name, *, phase="Running", ready=True, started_s=OLD_S, changed_s=OLD_S, request="1000m", **metadata):
    requests = {"cpu": request} if request else {}
    return {
        "metadata": {"name": name, **metadata},
        "spec": {"containers": [{"name": "server", "resources": {"requests": requests}}]},
        "status": {
            "phase": phase,
            "startTime": timestamp(started_s),
            "conditions": [
                {"type": "Ready", "status": str(ready), "lastTransitionTime": timestamp(changed_s)},
            ],
        },
    }


def pods(count):
    return [pod(str(number)) for number in range(count)]


def samples(*amounts, at_s=NOW_S - 1):
    return {str(number): Sample(amount, at_s, 15.0) for number, amount in enumerate(amounts) if amount is not None}


def replicas(current, target_percent, found_pods, *amounts):
    return by_utilization(current, target_percent, found_pods, samples(*amounts), "cpu", None, NOW_S).replicas


@pytest.mark.parametrize(
    ("used", "wanted"),
    [(500, 2), (1000, 4), (250, 1), (550, 2), (559, 2), (560, 3), (450, 2), (449, 2), (750, 3), (760, 4)],
)
def test_desired_is_current_times_use_over_target_rounded_up(used, wanted):
    assert replicas(2, 50, pods(2), used, used) == wanted


@pytest.mark.parametrize(("ratio", "held"), [(0.9, True), (0.899, False), (1.1, True), (1.101, False)])
def test_the_tolerance_itself_is_within(ratio, held):
    assert within_tolerance(ratio) == held


def test_the_reading_is_whole_percents_and_the_average_of_the_pods():
    proposal = by_utilization(2, 50, pods(2), samples(333, 334), "cpu", None, NOW_S)
    assert (proposal.utilization, proposal.average) == (33, 333)


def test_a_missing_pod_counts_as_idle_when_scaling_up():
    # (800 + 0) / 2 = 40 %: no longer above 50 %, so nothing is done.
    assert replicas(2, 50, pods(2), 800, None) == 2
    assert replicas(2, 50, pods(2), 2000, None) == 4


def test_a_missing_pod_counts_as_full_when_scaling_down():
    assert replicas(2, 50, pods(2), 100, None) == 2


def test_an_unready_pod_counts_as_idle_when_scaling_up_and_not_at_all_when_scaling_down():
    young = pod("1", ready=False, started_s=NOW_S - 60, changed_s=NOW_S - 60)
    assert replicas(2, 50, [pod("0"), young], 2000, 900) == 4
    assert replicas(2, 50, [pod("0"), young], 100, 900) == 1


def test_cpu_of_a_young_pod_counts_only_from_after_it_became_ready():
    """The whole window of its sample must lie after the change."""
    fresh = pod("0", started_s=NOW_S - 60, changed_s=NOW_S - 10)
    with pytest.raises(MetricsUnavailable, match="pods might be unready"):
        replicas(1, 50, [fresh], 2000)
    settled = pod("0", started_s=NOW_S - 60, changed_s=NOW_S - 16)
    assert replicas(1, 50, [settled], 2000) == 4


def test_an_old_pod_that_became_unready_later_still_counts():
    assert replicas(1, 50, [pod("0", ready=False, changed_s=NOW_S - 60)], 2000) == 4


def test_an_old_pod_that_was_never_ready_does_not_count():
    never_ready = pod("0", ready=False, started_s=OLD_S, changed_s=OLD_S + 29)
    with pytest.raises(MetricsUnavailable, match="pods might be unready"):
        replicas(1, 50, [never_ready], 2000)


def test_pods_that_are_going_or_failed_are_ignored():
    going = pod("1", deletionTimestamp=timestamp(NOW_S))
    assert replicas(2, 50, [pod("0"), going, pod("2", phase="Failed")], 500, 5000, 5000) == 2


def test_a_container_without_a_request_makes_utilization_unknown():
    with pytest.raises(MetricsUnavailable, match="missing request for cpu in container server of Pod 0"):
        replicas(1, 50, [pod("0", request=None)], 500)


def test_no_samples_at_all_is_said_as_the_metrics_api_does():
    with pytest.raises(MetricsUnavailable, match="no metrics returned from resource metrics API"):
        replicas(1, 50, pods(1), None)


def test_an_average_value_needs_no_requests():
    without_requests = [pod("0", request=None), pod("1", request=None)]
    proposal = by_average(2, 400, without_requests, samples(1000, 600), "cpu", NOW_S)
    assert (proposal.replicas, proposal.average, proposal.utilization) == (4, 800, None)


@given(
    amounts=st.lists(st.integers(0, 4000), min_size=1, max_size=8),
    target_percent=st.integers(1, 200),
)
def test_it_never_moves_against_its_own_reading(amounts, target_percent):
    current = len(amounts)
    proposal = by_utilization(current, target_percent, pods(current), samples(*amounts), "cpu", None, NOW_S)
    if proposal.replicas > current:
        assert proposal.utilization > target_percent
    if proposal.replicas < current:
        assert proposal.utilization < target_percent
