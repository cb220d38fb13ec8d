"""B1 on made-up crowds: whose answer each request got, and what says nothing."""

from dataclasses import replace

import pytest

from seatrial.trials.concurrency import FEW
from seatrial.verdict import Outcome
from tests.helpers.batches import BATCHING, alone, answer, batching, concurrent_load, loop_rows
from tests.helpers.observations import METRICS, contract, judged, lost, row, wrong

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def with_row(rows, index, changed):
    return [*rows[:index], changed, *rows[index + 1 :]]


def test_each_request_with_its_own_answer_passes():
    verdict = judged("B1", batching(), concurrent_load())
    assert (verdict.outcome, verdict.n) == (PASS, 2016)


def test_one_answer_of_another_request_fails_and_names_whose_it_is():
    rows = loop_rows()
    verdict = judged("B1", batching(), concurrent_load(with_row(rows, 100, wrong(rows[100], answer(55)))))
    assert verdict.outcome == FAIL
    assert "c28 got that of c55" in verdict.found
    assert len(verdict.rows) == 1


def test_two_answers_swapped_fail():
    rows = loop_rows()
    swapped = with_row(with_row(rows, 7, wrong(rows[7], answer(8))), 8, wrong(rows[8], answer(7)))
    assert "2 got the answer of another" in judged("B1", batching(), concurrent_load(swapped)).found


@pytest.mark.parametrize("error", ["eof", "reset", "timeout"])
def test_a_lost_answer_fails(error):
    rows = loop_rows()
    verdict = judged("B1", batching(), concurrent_load(with_row(rows, 5, lost(rows[5], error))))
    assert verdict.outcome == FAIL
    assert error in verdict.found


@pytest.mark.parametrize(("body", "status"), [('{"answer": null}', 200), ("<html>", 200), ('{"answer": 3}', 500)])
def test_an_answer_of_nobody_fails(body, status):
    rows = loop_rows()
    verdict = judged("B1", batching(), concurrent_load(with_row(rows, 5, wrong(rows[5], body, status))))
    assert verdict.outcome == FAIL
    assert verdict.found.startswith("0 got the answer of another")


def test_a_wrong_answer_among_the_few_fails_too():
    extra = [wrong(row(FEW, 45, case="c1"), answer(2))]
    assert judged("B1", batching(), concurrent_load(extra=extra)).outcome == FAIL


def test_a_refusal_that_the_contract_allows_is_no_loss():
    rows = loop_rows()
    busy = contract(batching=BATCHING, metrics=METRICS, limits={"concurrency": {"limit": 8}})
    refused = with_row(rows, 5, wrong(rows[5], "{}", 503))
    assert judged("B1", busy, concurrent_load(refused)).outcome == PASS
    assert judged("B1", batching(), concurrent_load(refused)).outcome == FAIL


def test_without_batching_no_batch_has_to_be_seen_and_few_inputs_are_said():
    few = [{"request": {"text": str(n)}, "expect": {"answer": n}, "name": f"c{n}"} for n in range(16)]
    verdict = judged("B1", contract(cases=few), replace(concurrent_load(loop_rows(cases=16)), scrapes=()))
    assert verdict.outcome == PASS
    assert "judged with the 16 inputs" in verdict.found


@pytest.mark.parametrize(
    ("promised", "seen"),
    [
        (batching(), concurrent_load(loop_rows(1999))),
        (batching(), concurrent_load([])),
        (batching(), concurrent_load(alone(loop_rows()))),
        (batching(), concurrent_load(loop_rows(cases=63))),
        (batching(), concurrent_load(few=())),
        (batching(), concurrent_load(loop=(7,) * 288)),
        (batching(), replace(concurrent_load(), scrapes=())),
        (contract(batching=BATCHING), concurrent_load()),
    ],
    ids=[
        "too few",
        "none",
        "one client",
        "63 inputs",
        "one size",
        "never full",
        "no scrapes",
        "no metric, no times",
    ],
)
def test_without_its_preconditions_b1_says_nothing(promised, seen):
    assert judged("B1", promised, seen).outcome == INCONCLUSIVE


def test_inputs_of_different_lengths_only_say_nothing_of_swaps_by_length():
    cases = [{"request": {"t": "x" * n}, "expect": {"answer": n}, "name": f"c{n}"} for n in range(72)]
    promised = contract(cases=cases, batching=BATCHING, metrics=METRICS)
    assert judged("B1", promised, concurrent_load()).outcome == INCONCLUSIVE


def test_cases_that_any_answer_will_do_for_say_nothing():
    anything = [{"request": {"text": str(n)}, "any": True, "name": f"c{n}"} for n in range(72)]
    verdict = judged("B1", contract(cases=anything, batching=BATCHING, metrics=METRICS), concurrent_load())
    assert (verdict.outcome, verdict.found) == (INCONCLUSIVE, "72 of 72 that any answer will do for")


def test_generated_text_of_another_request_is_told_whose_it_is():
    texts = [{"request": f"Count {n}", "contains": f"it is {n}!", "name": f"c{n}"} for n in range(72)]
    rows = loop_rows()
    other = wrong(rows[100], '{"choices": [{"message": {"content": "I think it is 55!"}}]}')
    verdict = judged(
        "B1", contract(cases=texts, batching=BATCHING, metrics=METRICS), concurrent_load(with_row(rows, 100, other))
    )
    assert (verdict.outcome, "c28 got that of c55" in verdict.found) == (FAIL, True)


# a service that takes few at once


def few_at_once(slots, count=2016):
    """As many clients as slots, each with a request of 20 ms after the other."""
    rows = []
    for n in range(count):
        rows.append({**row("loop", 20 + (n // slots) * 0.0205, 0.02), "case": f"c{n % 72}"})
    return rows


@pytest.mark.parametrize("slots", [1, 2, 4, 8])
def test_as_many_clients_as_a_limit_lets_in_are_enough(slots):
    unbatched = contract(limits={"concurrency": {"limit": slots, "reject": {"status": 429}}})
    seen = replace(concurrent_load(few_at_once(slots), clients=slots), slots=slots)
    assert judged("B1", unbatched, seen).outcome == PASS
    assert judged("B1", unbatched, replace(seen, slots=None)).outcome == INCONCLUSIVE, "no limit is in force"


def test_answers_that_were_refused_count_for_nothing_and_the_advice_is_not_more_cores():
    """A limit of 8 met by 16 clients that spin: 401 of 19,109 were answered."""
    unbatched = contract(limits={"concurrency": {"limit": 8, "reject": {"status": 429}}})
    rows = few_at_once(8, 401)
    rows += [{**wrong(row("loop", 20 + n * 0.0003, 0.001), "{}", 429)} for n in range(18708)]
    found = judged("B1", unbatched, concurrent_load(rows))
    assert found.outcome == INCONCLUSIVE
    assert "401" in found.found
    assert "18708 refused" in found.found
    assert "cores" not in found.do
