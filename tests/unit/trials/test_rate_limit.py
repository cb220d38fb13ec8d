"""The trial of the rate limit, whole, on made-up limiters and a made-up clock; and what L2 and L3 say of it."""

import pytest

from seatrial.trials import rate_limit, slow_refill
from seatrial.verdict import Outcome
from tests.helpers import limiters
from tests.helpers.observations import contract, judged
from tests.helpers.rate_limits import LIMIT

CONTRACT = contract(limits={"rate": LIMIT})


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    """Nothing is installed anywhere."""
    for module in (rate_limit, slow_refill):
        monkeypatch.setattr(module, "Sandbox", limiters.Sandbox)


def seen_of(promised=CONTRACT, header=limiters.whole_seconds):
    return rate_limit.rate_limit.run(limiters.context(promised, header))


@pytest.fixture(scope="module")
def healthy():
    with pytest.MonkeyPatch.context() as patch:
        for module in (rate_limit, slow_refill):
            patch.setattr(module, "Sandbox", limiters.Sandbox)
        return seen_of()


@pytest.mark.parametrize("id", ["L2", "L3"])
def test_a_healthy_limiter_passes(healthy, id):
    assert judged(id, CONTRACT, healthy).outcome is Outcome.PASS


def test_each_rate_meets_new_pods_and_the_third_a_namespace_of_its_own(healthy):
    assert [(window.per_second, window.pod) for window in healthy.windows] == [(10, "rate-1-0"), (20, "rate-2-0")]
    assert (healthy.slow.pod, healthy.slow.namespace) == ("rate-slow-1-0", "ns-rate-slow")
    assert healthy.trial == "rate-limit"


def test_the_ledger_has_all_that_the_first_pod_was_asked(healthy):
    first, second = healthy.windows
    assert set(healthy.asked(first).texts("load")) == {"lone", "saturate"}
    assert set(healthy.asked(second).texts("load")) == {"saturate"}
    assert all(window.since_first for window in healthy.windows)


def test_the_third_rate_is_tried_while_the_second_is_saturated(healthy):
    slow = healthy.ledger.to(healthy.slow.pod)
    assert slow.sent_s.min() >= healthy.windows[1].start_s - 1.0
    assert slow.ended_s.max() <= healthy.windows[1].end_s


@pytest.mark.parametrize(
    "per_second", [0.3, 10, {"value": "rate", "set": 0.25}], ids=["fixed and slow", "fixed", "slow"]
)
def test_a_rate_that_no_value_governs_or_that_is_slow_itself_has_no_third(per_second):
    few = rate_limit.Windows(saturated_s=1.0, honest_rounds=1, search_rounds=0, probes=1)
    promised = contract(limits={"rate": {**LIMIT, "per_second": per_second}})
    assert rate_limit.rate_limit.run(limiters.context(promised), windows=few).slow is None


def test_a_constant_second_is_found_by_the_third_rate_alone():
    verdict = judged("L2", CONTRACT, seen_of(header=lambda wait_s, at_s: "1"))
    assert verdict.outcome is Outcome.FAIL
    assert "at 0.3/s" in verdict.expected
