"""D7 where half of the budget is tried as well: whether the value that governs the budget has an effect."""

import pytest

from seatrial.verdict import Outcome
from tests.helpers.drains import DRAIN, deletion, reset, shorter_drain
from tests.helpers.observations import contract, judged

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
GOVERNED = contract(drain={**DRAIN, "budget_s": {"value": "drain.seconds", "set": 6}})


def with_half(took_s, *, right=False, promises=GOVERNED, **how):
    return judged("D7", promises, shorter_drain(took_s, right=right, **how)(deletion()))


@pytest.mark.parametrize("took_s", [0.5, 3.0, 3.4, 5.5])
def test_a_pod_that_gives_up_what_takes_longer_than_the_shorter_budget_passes_and_says_so(took_s):
    found = with_half(took_s)
    assert (found.outcome, found.n) == (PASS, 3)
    assert found.found.endswith("what takes longer is given up with 3 s")
    assert "its value does not govern" in found.detects


def test_a_pod_that_answers_what_takes_longer_has_not_heard_of_the_value():
    found = with_half(5.5, right=True)
    assert (found.outcome, len(found.rows)) == (FAIL, 1)
    assert found.expected == "what takes longer given up when drain.seconds is 3"
    assert found.found == "a request with 5.5 s of work left at SIGTERM was answered after 5.4 s"


def test_a_change_that_reached_no_pod_is_the_finding():
    found = with_half(5.5, right=True, replaced=False)
    assert found.outcome is FAIL
    assert "the pods are those from before the change of drain.seconds" in found.found
    assert "annotations" in found.do


def test_without_a_sign_the_budget_counts_from_when_sigterm_was_due():
    assert with_half(5.5, right=True, sign_s=None).found.endswith("answered after 5.5 s")


@pytest.mark.parametrize("took_s", [None, 0.05])
def test_a_request_that_was_not_there_when_the_pod_was_told_shows_nothing(took_s):
    found = with_half(took_s)
    assert (found.outcome, found.found) == (INCONCLUSIVE, "none")


@pytest.mark.parametrize("took_s", [1.0, 4.9])
def test_a_request_that_took_less_than_it_was_asked_to_shows_nothing(took_s):
    found = with_half(took_s, right=True)
    assert found.outcome is INCONCLUSIVE
    assert found.found.startswith("one that was answered after")


def test_a_chart_that_refuses_the_shorter_budget_is_judged_by_the_promised_one():
    found = with_half(None, refused="values don't meet the specifications of the schema")
    assert found.outcome is PASS
    assert "3 s" not in found.found


def test_a_lost_request_near_the_promised_budget_is_what_is_told_of_where_the_value_has_an_effect():
    lost = deletion(change=lambda row, round: reset(row, round.told_s + 3) if row["load"] == "nearly" else row)
    found = judged("D7", GOVERNED, shorter_drain(3.0, right=False)(lost))
    assert found.outcome is FAIL
    assert "most of the 6 s budget" in found.expected
