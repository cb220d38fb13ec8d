"""B1 to B5 on made-up crowds and batches: what passes, what fails, and what says nothing."""

import json
from dataclasses import replace

import pytest

from seatrial.observation import ledger
from seatrial.trials.batching import AFTER, ALONE, BURST, GOOD, POISON, RACE, Batches, Round, Setting
from seatrial.trials.crowd import AT_ONCE, FEW, LONE, LOOP, ONE_BY_ONE, Crowd, Span
from seatrial.trials.waits import FULL, TRICKLE
from seatrial.verdict import Outcome
from tests.helpers.observations import METRICS, Counters, common, contract, judged, lost, pod_change, row, wrong

BATCHING = {
    "max_size": {"value": "batch.max", "set": 8},
    "max_delay_ms": 20,
    "poison": {"request": {"text": "poison"}, "status": 500, "body": {"error": "internal"}},
}
PASS, FAIL, INCONCLUSIVE, SKIPPED = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.SKIPPED


def batching(**changed):
    return contract(batching={**BATCHING, **changed}, metrics=METRICS)


def answer(number):
    return json.dumps({"answer": number})


# B1 and B2


def loop_rows(n=2016, cases=72):
    return [row(LOOP, 20 + i * 0.005, 0.08, case=f"c{i % cases}") for i in range(n)]


def alone(rows):
    """The same requests by one client."""
    return [{**one, "ended_s": one["sent_s"] + 0.005} for one in rows]


def crowd(rows=None, *, loop=(8,) * 252, few=(4, 4), lone=(1,) * 12, runs=None, clients=16, extra=()):
    """Twelve lone requests, 2016 answers of sixteen clients over ten seconds, and a few more."""
    counters, scrapes = Counters(), []
    scrapes.append(counters.scrape(1))
    counters.count(*lone)
    scrapes.append(counters.scrape(11))
    counters.count(*loop, runs=runs)
    scrapes.append(counters.scrape(41))
    counters.count(*few)
    scrapes.append(counters.scrape(51))
    sent = [*(row(LONE, 2 + i * 0.5) for i in range(12)), *(loop_rows() if rows is None else rows), *extra]
    return Crowd(
        **common(sent, scrapes=scrapes),
        pod="a",
        clients=clients,
        lone=Span(2, 10),
        loop=Span(12, 40),
        few=Span(42, 50),
    )


def with_row(rows, index, changed):
    return [*rows[:index], changed, *rows[index + 1 :]]


def test_each_request_with_its_own_answer_passes():
    verdict = judged("B1", batching(), crowd())
    assert (verdict.outcome, verdict.n) == (PASS, 2016)


def test_one_answer_of_another_request_fails_and_names_whose_it_is():
    rows = loop_rows()
    verdict = judged("B1", batching(), crowd(with_row(rows, 100, wrong(rows[100], answer(55)))))
    assert verdict.outcome == FAIL
    assert "c28 got that of c55" in verdict.found
    assert len(verdict.rows) == 1


def test_two_answers_swapped_fail():
    rows = loop_rows()
    swapped = with_row(with_row(rows, 7, wrong(rows[7], answer(8))), 8, wrong(rows[8], answer(7)))
    assert "2 got the answer of another" in judged("B1", batching(), crowd(swapped)).found


@pytest.mark.parametrize("error", ["eof", "reset", "timeout"])
def test_a_lost_answer_fails(error):
    rows = loop_rows()
    verdict = judged("B1", batching(), crowd(with_row(rows, 5, lost(rows[5], error))))
    assert verdict.outcome == FAIL
    assert error in verdict.found


@pytest.mark.parametrize(("body", "status"), [('{"answer": null}', 200), ("<html>", 200), ('{"answer": 3}', 500)])
def test_an_answer_of_nobody_fails(body, status):
    rows = loop_rows()
    verdict = judged("B1", batching(), crowd(with_row(rows, 5, wrong(rows[5], body, status))))
    assert verdict.outcome == FAIL
    assert verdict.found.startswith("0 got the answer of another")


def test_a_wrong_answer_among_the_few_fails_too():
    extra = [wrong(row(FEW, 45, case="c1"), answer(2))]
    assert judged("B1", batching(), crowd(extra=extra)).outcome == FAIL


def test_a_refusal_that_the_contract_allows_is_no_loss():
    rows = loop_rows()
    busy = contract(batching=BATCHING, metrics=METRICS, limits={"concurrency": {"limit": 8}})
    refused = with_row(rows, 5, wrong(rows[5], "{}", 503))
    assert judged("B1", busy, crowd(refused)).outcome == PASS
    assert judged("B1", batching(), crowd(refused)).outcome == FAIL


def test_without_batching_no_batch_has_to_be_seen_and_few_inputs_are_said():
    few = [{"request": {"text": str(n)}, "expect": {"answer": n}, "name": f"c{n}"} for n in range(16)]
    verdict = judged("B1", contract(cases=few), replace(crowd(loop_rows(cases=16)), scrapes=()))
    assert verdict.outcome == PASS
    assert "judged with the 16 inputs" in verdict.found


@pytest.mark.parametrize(
    ("promised", "seen"),
    [
        (batching(), crowd(loop_rows(1999))),
        (batching(), crowd([])),
        (batching(), crowd(alone(loop_rows()))),
        (batching(), crowd(loop_rows(cases=63))),
        (batching(), crowd(few=())),
        (batching(), crowd(loop=(7,) * 288)),
        (batching(), replace(crowd(), scrapes=())),
        (contract(batching=BATCHING), crowd()),
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
    assert judged("B1", promised, crowd()).outcome == INCONCLUSIVE


def test_batches_pass():
    verdict = judged("B2", batching(), crowd())
    assert (verdict.outcome, verdict.n) == (PASS, 2016)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (crowd(loop=(1,) * 2016), "batches of 1.00"),
        (crowd(loop=(8,) + (1,) * 2008), "batches of 1.00"),
        (crowd(loop=(8,) * 252, runs=2016), "2016 model runs"),
        (crowd(loop=(8,) * 252, runs=2016, lone=(8,) * 12), "2016 model runs"),
        (crowd(loop=(1, 1, 2) * 504), "1512 model runs"),
    ],
    ids=["always 1", "first only", "metric faked", "metric faked for lone ones too", "hardly ever"],
)
def test_work_one_by_one_fails(seen, said):
    verdict = judged("B2", batching(), seen)
    assert verdict.outcome == FAIL
    assert said in verdict.found


@pytest.mark.parametrize(
    "seen",
    [
        crowd(alone(loop_rows())),
        crowd([]),
        crowd(loop_rows(400)),
        crowd([lost(one) for one in loop_rows()]),
        crowd(lone=(2,) * 6),
        crowd(lone=()),
        replace(crowd(), scrapes=()),
    ],
    ids=[
        "one client",
        "none",
        "too short",
        "none right",
        "lone ones in twos",
        "not counted",
        "no scrape",
    ],
)
def test_without_its_preconditions_b2_says_nothing(seen):
    assert judged("B2", batching(), seen).outcome == INCONCLUSIVE


def test_counters_that_fell_say_nothing():
    seen = crowd()
    restarted = replace(seen, scrapes=(seen.scrapes[0], seen.scrapes[3], *seen.scrapes[:1], seen.scrapes[2]))
    fallen = tuple(replace(one, at_s=at_s) for one, at_s in zip(restarted.scrapes, (1, 11, 41, 51), strict=True))
    assert judged("B2", batching(), replace(seen, scrapes=fallen)).outcome == INCONCLUSIVE


def timed_groups(share, groups=10):
    rows = []
    for n in range(groups):
        rows += [row(AT_ONCE, 60 + n, 8 * 0.02 * share, group=n) for _ in range(8)]
        rows += [row(f"{ONE_BY_ONE}-{n}", 60 + n + i * 0.05, 0.02) for i in range(8)]
    return rows


@pytest.mark.parametrize(
    ("share", "groups", "outcome"), [(0.5, 10, PASS), (0.59, 10, PASS), (0.7, 10, FAIL), (0.5, 9, INCONCLUSIVE)]
)
def test_without_metrics_the_time_tells(share, groups, outcome):
    unmeasured = contract(batching=BATCHING)
    assert judged("B2", unmeasured, crowd(extra=timed_groups(share, groups))).outcome == outcome


def test_one_slow_group_of_ten_fails():
    rows = timed_groups(0.5)
    rows[0] = {**rows[0], "ended_s": rows[0]["sent_s"] + 0.15}
    assert judged("B2", contract(batching=BATCHING), crowd(extra=rows)).outcome == FAIL


def test_a_largest_batch_of_one_is_no_batching():
    assert judged("B2", batching(max_size=1), crowd()).outcome == SKIPPED


# B3


def bursts(sizes=(8, 4), counted=None, runs=None, spread_s=0.001, groups=14):
    """Bursts at each setting; by default every batch is as full as it can be."""
    counters, scrapes, rows, settings = Counters(), [], [], []
    for number, size in enumerate(sizes):
        pod, start_s = "ab"[number], 100.0 * (number + 1)
        scrapes.append(counters.scrape(start_s - 1, pod))
        for group in range(groups):
            at_s = start_s + group * 2
            rows += [
                row(f"{BURST}-{size}", at_s + spread_s * n / (4 * size), group=group, target=pod)
                for n in range(4 * size)
            ]
            rows += [row(f"{RACE}-{size}", at_s + 1, group=group, target=pod) for n in range(size - 1)]
            rows += [row(f"{RACE}-{size}", at_s + 1.018, group=group, target=pod) for n in range(2)]
            seen = (counted or {}).get(size, [size] * 4 + [size, 1])
            counters.count(*seen, runs=(runs or {}).get(size))
        scrapes.append(counters.scrape(start_s + 51, pod))
        settings.append(Setting(size, pod, Span(start_s, start_s + 50)))
    return Batches(**common(rows, scrapes=scrapes), pod="a", size=8, delay_s=0.02, settings=tuple(settings))


def test_batches_up_to_the_largest_pass_at_both_settings():
    verdict = judged("B3", batching(), bursts())
    assert (verdict.outcome, verdict.n) == (PASS, 168)


def test_a_size_that_no_value_governs_is_judged_alone_and_said_so():
    verdict = judged("B3", batching(), bursts(sizes=(8,)))
    assert verdict.outcome == PASS
    assert "not changed" in verdict.found


@pytest.mark.parametrize(
    "counted",
    [
        {8: [9, 9, 9, 5, 9]},
        {8: [16, 16, 9]},
        {8: [8] * 4 + [8, 1], 4: [8, 8, 5]},
        {4: [5, 5, 5, 1, 5]},
        {4: [4] * 4 + [5]},
    ],
    ids=["one too many", "pending merged", "value ignored", "one too many at half", "the timer adds one"],
)
def test_a_batch_above_the_largest_fails(counted):
    assert judged("B3", batching(), bursts(counted=counted)).outcome == FAIL


def test_more_answers_than_the_runs_can_hold_fail_whatever_the_sizes_say():
    """A multi-item request counted as one shows in the runs of the model."""
    assert "more than 8 in one" in judged("B3", batching(), bursts(runs={8: 5})).found
    assert judged("B3", batching(), bursts(runs={8: 2})).outcome == FAIL


@pytest.mark.parametrize(
    "seen",
    [
        bursts(groups=9),
        bursts(spread_s=0.05),
        bursts(counted={8: [4] * 10, 4: [2] * 10}),
        bursts(sizes=()),
        replace(bursts(), scrapes=()),
        bursts(sizes=(6,), counted={6: [5, 7, 6, 6, 5, 1]}),
    ],
    ids=["few bursts", "bursts spread", "never full", "none", "no scrapes", "a bucket holds both"],
)
def test_without_its_preconditions_b3_says_nothing(seen):
    assert judged("B3", batching(), seen).outcome == INCONCLUSIVE


def test_without_a_metric_of_sizes_b3_is_skipped():
    assert judged("B3", contract(batching=BATCHING), bursts()).outcome == SKIPPED


# B4


def waiting(lone_s=0.06, trickle_s=0.06, looks=1, changed=lambda n, look: None, spacing_s=0.16, full=96, delay_s=0.02):
    """Full batches take 50 ms; lone requests and those of a trickle 60 ms, unless `changed` says otherwise."""
    rows = [row(FULL, i * 0.1, 0.05) for i in range(full)]
    for look in range(looks):
        for n in range((60, 120)[look]):
            took_s = changed(n, look)
            at_s = 100 + look * 100 + n * spacing_s
            rows.append(row("lone", at_s, lone_s if took_s is None else took_s, group=look))
        rows += [row(TRICKLE, 150 + look * 100 + n * 0.016, trickle_s, group=look) for n in range(600)]
    return Batches(**common(rows), pod="a", size=8, delay_s=delay_s, spacing_s=0.16, looks=looks)


def test_lone_requests_within_the_delay_pass():
    verdict = judged("B4", batching(), waiting())
    assert (verdict.outcome, verdict.n) == (PASS, 60)


def test_immediate_dispatch_passes():
    assert judged("B4", batching(), waiting(lone_s=0.03)).outcome == PASS


@pytest.mark.parametrize(
    "seen",
    [
        waiting(lone_s=2.0),
        waiting(changed=lambda n, look: (n % 20) / 20 + 0.06),
        waiting(looks=2, lone_s=0.12),
        waiting(looks=2, trickle_s=0.3),
        waiting(looks=2, changed=lambda n, look: 1.2 if n == 7 else None),
    ],
    ids=["seconds for milliseconds", "a clock of a second", "always late", "the timer starts anew", "now and then"],
)
def test_a_request_that_waits_longer_fails(seen):
    assert judged("B4", batching(), seen).outcome == FAIL


def test_a_lone_request_that_is_never_answered_fails_when_both_looks_have_one():
    seen = waiting(looks=2)
    hung = [lost(one, "timeout") if one["scheduled_s"] in (100.0, 200.0) else one for one in as_rows(seen.ledger)]
    verdict = judged("B4", batching(), replace(seen, ledger=ledger(hung)))
    assert verdict.outcome == FAIL
    assert "timeout" in verdict.found


def as_rows(given):
    names = (
        "stream",
        "case",
        "target",
        "pod",
        "group",
        "scheduled_s",
        "sent_s",
        "ended_s",
        "status",
        "correct",
        "error",
    )
    return [{name: getattr(one, name) for name in names} for one in given]


@pytest.mark.parametrize(
    "seen",
    [
        waiting(changed=lambda n, look: 0.12 if n % 2 else None),
        waiting(looks=2, changed=lambda n, look: 1.2 if (n, look) == (7, 1) else None),
        waiting(delay_s=0.6),
        waiting(full=16),
        waiting(looks=0),
        waiting(spacing_s=0.08),
        Batches(**common(), pod="a", delay_s=0.02, looks=1, spacing_s=0.16),
    ],
    ids=[
        "half are late",
        "late in one look",
        "delay hides a tick",
        "no full batches",
        "none sent",
        "too close",
        "empty",
    ],
)
def test_without_its_preconditions_b4_says_nothing(seen):
    assert judged("B4", batching(), seen).outcome == INCONCLUSIVE


# B5

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
    rows = [lost(one) if one["stream"] == AFTER else one for one in as_rows(seen.ledger)]
    bodies = [{**one, **OWN_ERROR} if one["stream"] in (ALONE, POISON) else one for one in rows]
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
