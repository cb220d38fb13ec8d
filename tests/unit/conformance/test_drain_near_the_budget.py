"""D7's requests near the budget: how near they come, how old they may be, and whose API they ask."""

import json
from dataclasses import replace

import pytest

from seatrial.trials.drain_mix import EARLY, EARLY_AT_OTHER
from seatrial.verdict import Outcome
from tests.helpers.drains import DRAIN, UNDISTURBED_S, deletion, request, reset, with_rounds, with_rows
from tests.helpers.observations import contract, judged, wrong

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
CONTRACT = contract(drain=DRAIN)
NEARER_S = 0.54
AGE_S, EARLY_S = 3.0, 7.83


def verdict(seen, promises=CONTRACT):
    return judged("D7", promises, seen)


def nearer(*indices, cut_s=None, asks="", **how):
    """In these rounds the request was as long as 0.87 of the budget, and is cut so long after the sign."""

    def change(row, round):
        if row["load"] != "nearly" or round.index not in indices:
            return row
        longer = {**row, "ended_s": row["sent_s"] + UNDISTURBED_S + NEARER_S}
        return longer if cut_s is None else reset(longer, round.told_s + cut_s)

    return with_rounds(
        deletion(change=change, **how), {index: {"nearer_s": NEARER_S, "asks": asks} for index in indices}
    )


def nearer_and_first(cut_s):
    """As in a nearer round 2, and the first round's own was cut with the budget spent as well."""
    seen = deletion(
        change=lambda row, round: (
            reset(row, round.told_s + cut_s) if row["load"] == "nearly" and round.index != 1 else row
        )
    )
    return with_rounds(seen, {2: {"nearer_s": NEARER_S}})


def one_round_otherwise_coded(seen, index):
    """The victim of a round exited with 1."""
    changes = []
    for change in seen.timeline.changes:
        if change.name == f"victim-{index}" and change.kind == "Pod":
            text = json.dumps(change.object).replace('"exitCode": 0', '"exitCode": 1')
            change = replace(change, object=json.loads(text))
        changes.append(change)
    return replace(seen, timeline=replace(seen.timeline, changes=tuple(changes)))


def early(*, cut_s=None, stays=True):
    """One of half of the budget's age in each round; and its like at a pod that stays."""
    seen = deletion()
    rows = []
    for round in seen.loaded():
        sent_s = round.sigterm_due_s - AGE_S
        at_victim = request(EARLY, sent_s, EARLY_S, target=round.victim, pod=round.victim, group=round.index)
        at_other = request(EARLY_AT_OTHER, sent_s, EARLY_S, target="other", pod="other", group=round.index)
        rows.append(at_victim if cut_s is None else reset(at_victim, round.told_s + cut_s))
        rows.append(at_other if stays else wrong(at_other, "{}", 504))
    return with_rows(seen, rows)


def test_a_pass_excludes_as_much_as_the_longest_request_had_left():
    assert verdict(deletion()).detects == "a drain cut before 4.7 s"
    found = verdict(nearer(1, 2))
    assert (found.outcome, found.n) == (PASS, 3)
    assert found.detects == "a drain cut before 5.2 s"


def test_a_ceiling_just_below_the_budget_is_seen_by_a_request_that_comes_nearer():
    found = verdict(nearer(2, cut_s=5.0))
    assert (found.outcome, len(found.rows)) == (FAIL, 1)
    assert "round 2: 5.2 s of work left at SIGTERM, reset" in found.found


def test_one_that_came_nearer_and_was_still_worked_on_at_the_end_of_the_budget_is_the_machines():
    found = verdict(nearer(2, cut_s=6.0))
    assert (found.outcome, found.detects) == (PASS, "a drain cut before 4.7 s")
    assert "2 of 3 answered" in found.found


def test_what_came_nearer_and_was_cut_with_the_whole_budget_spent_leaves_the_other_rounds_to_tell():
    seen = nearer(2, cut_s=6.0)
    before = judged("D1", CONTRACT, deletion()).n
    found = judged("D1", CONTRACT, seen)
    assert (found.outcome, found.n) == (PASS, before - 1)
    assert judged("D5", CONTRACT, one_round_otherwise_coded(seen, 2)).outcome is PASS
    assert judged("D5", CONTRACT, nearer(0, 1, 2, cut_s=6.0, exit_codes=(1,))).outcome is INCONCLUSIVE
    first_too = judged("D1", CONTRACT, nearer_and_first(cut_s=6.0))
    assert (first_too.outcome, first_too.found) == (INCONCLUSIVE, "1 cut when the whole budget was spent")


def test_where_none_was_answered_the_budget_was_not_tested():
    assert verdict(nearer(0, 1, 2, cut_s=6.0)).outcome is INCONCLUSIVE


def test_a_request_that_is_old_at_sigterm_is_answered_all_the_same():
    found = verdict(early())
    assert (found.outcome, found.n) == (PASS, 6)
    assert found.detects == "a drain cut before 4.7 s; a budget that counts from a request's arrival"


@pytest.mark.parametrize("cut_s", [1.0, 3.0, 4.5])
def test_a_budget_that_counts_from_a_requests_arrival_fails(cut_s):
    found = verdict(early(cut_s=cut_s))
    assert (found.outcome, len(found.rows)) == (FAIL, 1)
    assert "sent 3.1 s before, reset" in found.found


def test_a_service_that_answers_nothing_so_old_is_not_held_to_it():
    """A limit of its own on how long a request takes shows at a pod that nobody stops, too."""
    found = verdict(early(cut_s=2.0, stays=False))
    assert (found.outcome, found.n) == (PASS, 3)
    assert "arrival" not in found.detects


def test_an_old_one_that_was_still_worked_on_at_the_end_of_the_budget_is_the_machines():
    assert verdict(early(cut_s=5.95)).outcome is PASS


def test_a_further_api_is_judged_by_how_long_its_own_request_takes():
    seen = nearer(1, asks="apart", cut_s=5.0)
    assert verdict(seen).n == 2, "without its length it shows nothing"
    alone = request("undisturbed/apart", 5.0, UNDISTURBED_S, target="other", pod="other")
    found = verdict(with_rows(seen, [alone]))
    assert found.outcome is FAIL
    assert "round 1: 5.2 s of work of apart left at SIGTERM, reset" in found.found
    assert verdict(with_rows(nearer(1, asks="apart"), [alone])).outcome is PASS
    assert verdict(with_rows(seen, [wrong(alone, "{}", 500)])).outcome is PASS


def test_a_request_that_is_refused_long_after_the_signal_had_been_read():
    """On a machine without time refusals take 0.3 s: one after 5 s is no such refusal, but work that was given up."""

    def change(row, round):
        if row["load"] == "short" and row["sent_s"] >= round.told_s:
            at_s = row["sent_s"] + 0.3
        elif row["load"] == "nearly":
            at_s = round.told_s + 5.0
        else:
            return row
        return {**wrong(row, "{}", 503), "first_byte_s": at_s, "ended_s": at_s}

    seen = with_rounds(deletion(change=change), {index: {"nearer_s": NEARER_S} for index in range(3)})
    assert (verdict(seen).outcome, judged("D1", CONTRACT, seen).outcome) == (FAIL, FAIL)
