"""Every ready replica gets its part of the connections."""

import pytest
from scipy import stats

from seatrial.errors import InputError
from seatrial.stats.shares import judge_minimum_share, judge_random_share


@pytest.mark.parametrize(("got", "decision"), [(102, "fail"), (103, "between"), (300, "pass")])
def test_the_minimum_share_of_two_replicas(got, decision):
    assert judge_minimum_share({"a": got, "b": 600 - got})["a"] == decision


@pytest.mark.parametrize(("share", "killed"), [(0.10, 0.99999), (0.13, 0.997), (0.15, 0.92)])
def test_what_the_minimum_share_kills_in_600_connections(share, killed):
    assert stats.binom.cdf(102, 600, share) >= killed


@pytest.mark.parametrize(("got", "decision"), [(518, "fail"), (519, "pass"), (681, "pass"), (682, "fail")])
def test_declared_random_routing_of_1200_connections(got, decision):
    assert judge_random_share({"a": got, "b": 1200 - got})["a"] == decision


def test_declared_random_routing_kills_a_split_of_40_to_60():
    assert stats.binom.cdf(518, 1200, 0.4) == pytest.approx(0.988, abs=0.001)


def test_strict_round_robin_over_three_passes_both_rules():
    even = {"a": 400, "b": 400, "c": 400}
    assert set(judge_minimum_share(even).values()) == {"pass"}
    assert set(judge_random_share(even).values()) == {"pass"}


def test_a_replica_without_any_connection_fails():
    assert judge_minimum_share({"a": 600, "b": 0}) == {"a": "pass", "b": "fail"}


def test_one_replica_has_no_shares():
    with pytest.raises(InputError, match="2 or more replicas"):
        judge_minimum_share({"a": 600})
