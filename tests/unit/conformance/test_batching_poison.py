"""B5 on made-up rounds: a request that fails, and its neighbours."""

from dataclasses import replace

import pytest

from seatrial.ledger import ledger
from seatrial.trials.batching import AFTER, ALONE, GOOD, POISON, Batches, Round
from seatrial.trials.concurrency import Span
from seatrial.verdict import Outcome
from tests.helpers.batches import BATCHING, answer, as_rows, batching
from tests.helpers.observations import Counters, common, contract, judged, lost, pod_change, row, wrong

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
OWN_ERROR = {"status": 500, "correct": -1, "body": '{"error": "internal"}'}


def rounds(*, sizes=(8,), hurt=None, poison=OWN_ERROR, alone=OWN_ERROR, after=16, restarts=0, count=10, scraped=True):
    counters = Counters()
    rows, scrapes, seen = [], [counters.scrape(0.5)], []
    rows += [row(ALONE, 0.1 * n, **alone) for n in range(3)]
    for index in range(count):
        places = ((0,), (4,), (7,))[index % 3] if index < 9 else (2, 6)
        at_s = 1.0 + index
        for n in range(8):
            one = row(POISON if n in places else GOOD, at_s + n * 0.001, group=index, case=f"c{n}")
            rows.append({**one, **poison} if n in places else (hurt or (lambda given, index, n: given))(one, index, n))
        counters.count(*sizes)
        scrapes.append(counters.scrape(at_s + 0.6))
        seen.append(Round(index, 8, places, Span(at_s, at_s + 0.5)))
    rows += [row(AFTER, 20 + n * 0.05) for n in range(after)]
    rows += [row("lone", 30 + n, 0.05) for n in range(10)]
    changes = [pod_change(0.1), pod_change(25, restarts=restarts)]
    return Batches(**common(rows, changes, scrapes if scraped else ()), pod="a", rounds=tuple(seen))


def test_good_requests_beside_a_failing_one_pass():
    verdict = judged("B5", batching(), rounds())
    assert (verdict.outcome, verdict.n) == (PASS, 69 + 11 + 16)


def test_a_batch_run_again_in_halves_passes():
    assert judged("B5", batching(), rounds(sizes=(8, 4, 4, 2, 2, 1, 1))).outcome == PASS


def only(index, place, change):
    return lambda given, at, n: change(given) if (at, n) == (index, place) else given


@pytest.mark.parametrize(
    "seen",
    [
        rounds(hurt=lambda given, index, n: wrong(given, OWN_ERROR["body"], 500)),
        rounds(hurt=only(3, 1, lambda given: wrong(given, '{"answer": []}'))),
        rounds(hurt=only(2, 0, lambda given: wrong(given, OWN_ERROR["body"], 500))),
        rounds(hurt=only(0, 5, lost), restarts=1),
        rounds(restarts=1),
        rounds(poison={"status": 200, "correct": -1, "body": answer(1)}),
        rounds(poison={"status": 500, "correct": -1, "body": '{"error": "other"}'}),
    ],
    ids=["whole batch", "neighbour empty", "last place", "worker killed", "restart", "misplaced", "another error"],
)
def test_a_neighbour_hurt_or_an_error_astray_fails(seen):
    assert judged("B5", batching(), seen).outcome == FAIL


def test_requests_afterwards_have_to_be_right():
    seen = rounds()
    rows = [lost(one) if one["load"] == AFTER else one for one in as_rows(seen.ledger)]
    bodies = [{**one, **OWN_ERROR} if one["load"] in (ALONE, POISON) else one for one in rows]
    assert judged("B5", batching(), replace(seen, ledger=ledger(bodies))).outcome == FAIL


@pytest.mark.parametrize(
    "seen",
    [
        rounds(alone={"status": 200, "correct": -1}),
        rounds(alone={"status": 500, "correct": -1, "body": "{}"}),
        rounds(sizes=(4, 4)),
        rounds(sizes=(1,) * 8),
        rounds(count=8),
        rounds(after=15),
        rounds(scraped=False),
        Batches(**common(), pod="a"),
    ],
    ids=["fails not", "another error", "in halves", "one by one", "few rounds", "none after", "no scrape", "empty"],
)
def test_without_its_preconditions_b5_says_nothing(seen):
    assert judged("B5", batching(), seen).outcome == INCONCLUSIVE


@pytest.mark.parametrize(("took_s", "outcome"), [(0.1, PASS), (0.4, INCONCLUSIVE)])
def test_without_metrics_the_time_of_a_round_tells_whether_it_was_one_batch(took_s, outcome):
    """Eight lone requests would take 0.4 s one after the other."""
    seen = rounds(hurt=lambda given, index, n: {**given, "ended_s": given["sent_s"] + took_s})
    assert judged("B5", contract(batching=BATCHING), seen).outcome == outcome


@pytest.mark.parametrize(("took_s", "outcome"), [(0.24, INCONCLUSIVE), (0.1, INCONCLUSIVE), (0.035, PASS)])
def test_a_wait_for_company_makes_no_batch_of_a_round(took_s, outcome):
    """20 ms of work behind a delay of 80 ms: eight runs one after the other take 240 ms, and lone requests 800."""
    seen = rounds(hurt=lambda given, index, n: {**given, "ended_s": given["sent_s"] + took_s}, scraped=False)
    lone = [{**one, "ended_s": one["sent_s"] + 0.1} if one["load"] == "lone" else one for one in as_rows(seen.ledger)]
    kept = [{**one, **OWN_ERROR} if one["load"] in (ALONE, POISON) else one for one in lone]
    slow = replace(seen, ledger=ledger(kept), delay_s=0.08)
    assert judged("B5", contract(batching=BATCHING), slow).outcome == outcome


# the deadline of the API, which is 2 s


def later(took_s, *only_in):
    def hurt(given, index, n):
        return {**given, "ended_s": given["sent_s"] + took_s} if not only_in or index in only_in else given

    return hurt


@pytest.mark.parametrize(
    ("took_s", "only_in", "outcome"),
    [
        (3.2, (), FAIL),
        (2.1, (), FAIL),
        (3.2, (1, 7), FAIL),
        (3.2, (4,), INCONCLUSIVE),
        (1.9, (), PASS),
        (0.7, (), PASS),
    ],
    ids=[
        "tried again with pauses",
        "just too late",
        "in two rounds",
        "in one round only",
        "slow, and in time",
        "run again in halves, one after the other",
    ],
)
def test_a_neighbour_that_is_right_too_late_is_hurt(took_s, only_in, outcome):
    verdict = judged("B5", batching(), rounds(hurt=later(took_s, *only_in)))
    assert verdict.outcome is outcome
    assert (f"answered after {took_s:.2f} s" in verdict.found) == (outcome is FAIL)


def test_a_neighbour_that_is_wrong_and_one_that_is_late_are_both_told():
    seen = rounds(hurt=lambda given, index, n: lost(given) if n == 2 else later(3.0)(given, index, n))
    verdict = judged("B5", batching(), seen)
    assert verdict.outcome is FAIL
    assert "69 good ones lost, wrong or late" in verdict.found


def test_without_a_deadline_nobody_is_late():
    agreed = batching()
    agreed = agreed.model_copy(update={"inference": agreed.inference.model_copy(update={"deadline_s": None})})
    assert judged("B5", agreed, rounds(hurt=later(3.2))).outcome is PASS


@pytest.mark.parametrize(("beacon_s", "outcome"), [(1.5, PASS), (0.01, FAIL)])
def test_what_is_late_while_the_machine_stands_still_is_held_against_nobody(beacon_s, outcome):
    seen = rounds(hurt=later(2.5, 3, 4))
    bodies = [{**one, **OWN_ERROR} if one["load"] in (ALONE, POISON) else one for one in as_rows(seen.ledger)]
    beside = [row("beacon", at_s, beacon_s) for at_s in (4.2, 5.2)]
    assert judged("B5", batching(), replace(seen, ledger=ledger([*bodies, *beside]))).outcome is outcome
