"""B1 on made-up crowds: whose answer each request got, and what says nothing."""

from dataclasses import replace

import pytest

from seatrial.ledger import ledger
from seatrial.trials.concurrency import FEW
from seatrial.trials.large_requests import ALONE, IN_COMPANY, LARGE, TOGETHER, fit_at_once
from seatrial.verdict import Outcome
from tests.helpers.batches import BATCHING, alone, answer, as_rows, batching, concurrent_load, loop_rows
from tests.helpers.observations import METRICS, contract, judged, lost, row, wrong

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE

PROMISES_LARGE = contract(
    batching=BATCHING,
    metrics=METRICS,
    large={"request": "{repeat}end", "expect": {"answer": "end"}, "repeat": {"text": "so ", "times": 400}},
)


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


def test_expected_stands_beside_found():
    rows = loop_rows()
    verdict = judged("B1", batching(), concurrent_load(with_row(rows, 100, wrong(rows[100], answer(55)))))
    assert verdict.found.endswith('c28 got that of c55: expected {"answer": 28}, found {"answer": 55}')
    assert "share no variable" in verdict.do


def test_where_no_answer_is_as_the_contract_expects_the_contract_is_in_doubt():
    """All 2,977 answers were wrong, and the advice was to share no variable."""
    nobodys = '{"answer": "none"}'
    everything = [wrong(each, nobodys) for each in loop_rows()]
    seen = concurrent_load(everything)
    verdict = judged("B1", batching(), seen)
    assert "2016 an answer that no case has, c0: expected {" in verdict.found
    assert verdict.found.endswith('found {"answer": "none"}')
    assert "c0" in {row.case for row in seen.ledger.of("lone") if row.right}, "alone, one of them was right"
    assert "at other times" in verdict.do
    lone = [wrong(each, nobodys) if each["load"] == "lone" else each for each in as_rows(seen.ledger)]
    bodies = [{**each, "body": nobodys} for each in lone]
    verdict = judged("B1", batching(), replace(seen, ledger=ledger(bodies)))
    assert verdict.do.startswith("correct what the contract expects of c0, c1, c10 and 69 more, or what the service")
    assert verdict.do.endswith("no answer to them was right, alone or in company")


def test_a_case_that_is_right_at_other_times_is_no_mistake_of_the_contract():
    rows = loop_rows()
    verdict = judged("B1", batching(), concurrent_load(with_row(rows, 5, wrong(rows[5], '{"answer": null}'))))
    assert "1 an answer that no case has, c5: expected" in verdict.found
    assert "at other times" in verdict.do


@pytest.mark.parametrize(("status", "do"), [(503, "declare 503"), (429, "declare 429"), (500, "see the pod's log")])
def test_a_status_that_is_not_declared_is_told_and_what_to_do_about_it(status, do):
    rows = loop_rows()
    refused = [wrong(each, "busy", status) if n % 3 else each for n, each in enumerate(rows)]
    verdict = judged("B1", batching(), concurrent_load(refused))
    assert verdict.found.endswith(f"1344 answered {status}, which the contract does not declare (busy)")
    assert verdict.do.startswith(do)


def test_what_went_astray_goes_before_whatever_else_was_wrong():
    rows = loop_rows()
    mixed = [wrong(each, "busy", 503) if n % 2 else each for n, each in enumerate(rows)]
    verdict = judged("B1", batching(), concurrent_load(with_row(mixed, 100, wrong(rows[100], answer(55)))))
    assert verdict.found.startswith("1 got the answer of another, 1008 none that is right; c28 got that of c55: ")
    assert "share no variable" in verdict.do
    assert len(verdict.rows) == 1


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


# A large request


def large_ones(alone=2, company=3):
    first = [row(LARGE, 0.1 + n, 0.6, case="large", group=ALONE) for n in range(alone)]
    return [*first, *(row(LARGE, 22 + 2 * n, 0.9, case="large", group=IN_COMPANY) for n in range(company))]


def with_large(rows, **changed):
    return replace(concurrent_load(extra=rows), **changed)


def test_large_requests_with_their_answers_pass_and_the_pass_says_so():
    verdict = judged("B1", PROMISES_LARGE, with_large(large_ones()))
    assert (verdict.outcome, verdict.n) == (PASS, 2021)
    assert "72 distinct inputs, and a large one" in verdict.found
    assert "only the beginning" in verdict.detects


@pytest.mark.parametrize(("index", "where"), [(0, "alone"), (1, "alone"), (2, "in company"), (4, "in company")])
def test_one_large_request_answered_to_its_beginning_fails(index, where):
    rows = large_ones()
    cut = with_row(rows, index, wrong(rows[index], '{"answer": "the beginning"}'))
    verdict = judged("B1", PROMISES_LARGE, with_large(cut))
    assert (verdict.outcome, len(verdict.rows)) == (FAIL, 1)
    beside = 'expected {"answer": "end"}, found {"answer": "the beginning"}'
    assert verdict.found == f"1 of 5 not, the first {where}: {beside}"
    assert "at its end" in verdict.do


@pytest.mark.parametrize(("error", "status"), [("timeout", 0), ("", 413)])
def test_a_large_request_that_is_lost_or_refused_fails(error, status):
    rows = large_ones()
    gone = with_row(rows, 1, {**rows[1], "correct": 0, "error": error, "status": status})
    verdict = judged("B1", PROMISES_LARGE, with_large(gone))
    assert verdict.outcome == FAIL
    assert verdict.found.endswith(error or "answered 413")


def test_where_usual_requests_are_wrong_too_they_are_what_is_told_of():
    rows, large = loop_rows(), large_ones()
    both = concurrent_load(with_row(rows, 100, wrong(rows[100], answer(55))), extra=[wrong(large[0], "{}"), *large[1:]])
    assert "c28 got that of c55" in judged("B1", PROMISES_LARGE, both).found


@pytest.mark.parametrize("rows", [[], large_ones(alone=1), large_ones(company=0)])
def test_a_large_request_that_was_promised_and_not_seen_is_inconclusive(rows):
    verdict = judged("B1", PROMISES_LARGE, with_large(rows))
    assert verdict.outcome == INCONCLUSIVE
    assert verdict.expected == "2 large requests alone, and some in company"


def test_a_limit_may_keep_large_requests_out_of_the_company():
    assert judged("B1", PROMISES_LARGE, with_large(large_ones(company=0), slots=16)).outcome == PASS


def test_who_promises_no_large_request_is_judged_as_ever():
    assert judged("B1", batching(), concurrent_load()).found == "2016 of 2016, 72 distinct inputs"


def test_large_requests_are_not_counted_among_the_answers_of_the_crowd():
    short = concurrent_load(loop_rows(1998), extra=large_ones())
    assert judged("B1", PROMISES_LARGE, short).outcome == INCONCLUSIVE


# As many large requests at once as fill a batch


def at_once(count=8):
    return [row(LARGE, 42, 4.0, case="large", group=TOGETHER) for _ in range(count)]


def test_a_batch_of_large_requests_passes_and_the_pass_says_how_many():
    verdict = judged("B1", PROMISES_LARGE, with_large([*large_ones(), *at_once()], large_at_once=8))
    assert verdict.outcome == PASS
    assert verdict.detects.endswith("only the beginning is worked on, also of 8 at once")


def test_the_last_of_a_batch_of_large_requests_cut_short_fails():
    rows = [*large_ones(), *at_once()]
    cut = with_row(rows, len(rows) - 1, wrong(rows[-1], '{"answer": "the beginning"}'))
    verdict = judged("B1", PROMISES_LARGE, with_large(cut, large_at_once=8))
    assert verdict.outcome == FAIL
    assert verdict.found.startswith("1 of 13 not, the first among as many at once as fill a batch: expected")


@pytest.mark.parametrize("seen", [0, 7])
def test_large_requests_at_once_that_were_not_all_answered_say_nothing_unless_a_limit_keeps_them_out(seen):
    rows = [*large_ones(), *at_once(seen)]
    verdict = judged("B1", PROMISES_LARGE, with_large(rows, large_at_once=8))
    assert (verdict.outcome, verdict.found) == (INCONCLUSIVE, f"2, and 3, {seen}")
    assert judged("B1", PROMISES_LARGE, with_large(rows, large_at_once=8, slots=16)).outcome == PASS


def test_records_from_before_large_requests_came_at_once_are_judged_as_ever():
    verdict = judged("B1", PROMISES_LARGE, with_large(large_ones()))
    assert verdict.outcome == PASS
    assert verdict.detects.endswith("only the beginning is worked on")


@pytest.mark.parametrize(
    ("most", "lone_s", "count"),
    [(8, (4.0, 1.2), 8), (8, (2.1, 2.0), 5), (64, (0.5, 0.5), 20), (8, (9.0, 6.0), 0), (1, (0.1,), 0), (0, (0.1,), 0)],
)
def test_no_more_large_requests_come_at_once_than_are_worked_on_in_ten_seconds(most, lone_s, count):
    lone = [row(LARGE, n, took_s) for n, took_s in enumerate(lone_s)]
    assert fit_at_once(most, ledger(lone)) == count


def test_where_no_lone_one_was_right_none_come_at_once():
    assert fit_at_once(8, ledger([wrong(row(LARGE, 0, 0.1), "{}")])) == 0
    assert fit_at_once(8, ledger([])) == 0
