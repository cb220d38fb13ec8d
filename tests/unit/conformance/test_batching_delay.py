"""B4 on made-up lone requests: how long one waits for others."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from seatrial.ledger import ledger
from seatrial.trials.batch_delay import FULL, LONE, TRICKLE, Gaps, time_waited
from seatrial.trials.batching import Batches
from seatrial.trials.quiet_time import QUIET, arrivals_s
from seatrial.trials.trickled_batches import batches_of_a_trickle
from seatrial.verdict import Outcome
from tests.helpers.batchers import batches, parked_when_quiet, twice_soon_after_another
from tests.helpers.batches import as_rows, batching
from tests.helpers.observations import common, judged, lost, row

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def waiting(lone_s=0.06, trickle_s=0.06, looks=1, changed=lambda n, look: None, full=96, delay_s=0.02):
    """As records of a time when all gaps were the same have it.

    Full batches take 50 ms; lone requests and those of a trickle 60 ms, unless `changed` says otherwise."""
    rows = [row(FULL, i * 0.1, 0.05) for i in range(full)]
    for look in range(looks):
        for n in range((60, 120)[look]):
            took_s = changed(n, look)
            at_s = 100 + look * 100 + n * 0.16
            rows.append(row(LONE, at_s, lone_s if took_s is None else took_s, group=look))
        rows += [row(TRICKLE, 150 + look * 100 + n * 0.016, trickle_s, group=look) for n in range(600)]
    return Batches(**common(rows), pod="a", size=8, delay_s=delay_s, spacing_s=0.16, looks=looks)


def test_lone_requests_within_the_delay_pass():
    verdict = judged("B4", batching(), waiting())
    assert (verdict.outcome, verdict.n) == (PASS, 60)


def held_up(seen, *numbers, by_s=0.07):
    """As seen, but these lone requests of each look were sent late, and so close to the next."""
    rows = as_rows(seen.ledger.of(FULL, TRICKLE))
    for look in range(seen.looks):
        for n, one in enumerate(as_rows(seen.ledger.of(LONE).in_group(look))):
            late_s = by_s if n in numbers else 0.0
            rows.append({**one, "sent_s": one["sent_s"] + late_s, "ended_s": one["ended_s"] + late_s})
    return replace(seen, ledger=ledger(rows))


def test_a_request_sent_late_and_the_one_after_it_are_not_counted():
    verdict = judged("B4", batching(), held_up(waiting(), 8, 40))
    assert (verdict.outcome, verdict.n) == (PASS, 56)


def test_a_generator_that_was_late_too_often_shows_nothing():
    verdict = judged("B4", batching(), held_up(waiting(), 8, 20, 40, 50))
    assert (verdict.outcome, verdict.found) == (INCONCLUSIVE, "52 of 60")


def test_with_no_request_alone_a_look_settles_nothing():
    seen = held_up(waiting(), *range(0, 60, 2), by_s=0.15)
    assert not time_waited(seen.ledger, seen.delay_s, looks=1, gaps=None).settled


def test_a_request_that_does_not_count_can_be_too_late_all_the_same():
    slow = waiting(looks=2, changed=lambda n, look: 1.5 if n == 20 else None)
    assert judged("B4", batching(), held_up(slow, 20)).outcome == FAIL


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


def queued(seen):
    """The machine has no time: the batches of the trickle queue, each 0.7 s behind the one before."""
    rows, ends_s, number = [], {}, {}
    for one in as_rows(seen.ledger):
        if one["load"] != TRICKLE:
            rows.append(one)
            continue
        look = one["group"]
        number[look] = number.get(look, 0) + 1
        if number[look] % 8 == 1:
            ends_s[look] = max(ends_s.get(look, 0.0) + 0.7, one["sent_s"] + 0.24)
        rows.append({**one, "ended_s": ends_s[look]})
    return replace(seen, ledger=ledger(rows))


def test_a_trickle_whose_batches_queue_behind_each_other_fails_nobody():
    verdict = judged("B4", batching(), queued(waiting(looks=2)))
    assert verdict.outcome == INCONCLUSIVE
    assert "in batches of a trickle that waited for another" in verdict.found


def test_a_lone_request_that_is_never_answered_fails_when_both_looks_have_one():
    seen = waiting(looks=2)
    hung = [lost(one, "timeout") if one["scheduled_s"] in (100.0, 200.0) else one for one in as_rows(seen.ledger)]
    verdict = judged("B4", batching(), replace(seen, ledger=ledger(hung)))
    assert verdict.outcome == FAIL
    assert "timeout" in verdict.found


@pytest.mark.parametrize(
    "seen",
    [
        waiting(changed=lambda n, look: 0.12 if n % 2 else None),
        waiting(looks=2, changed=lambda n, look: 1.2 if (n, look) == (7, 1) else None),
        waiting(delay_s=0.6),
        waiting(full=16),
        waiting(looks=0),
        held_up(waiting(), *range(0, 60, 3), by_s=0.08),
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


# gaps of all lengths


SHORT_DELAYS = [
    {"delay_s": 0.08, "work_s": 0.025},
    {"delay_s": 0.02, "work_s": 0.002},
    {"delay_s": 0.005, "work_s": 0.02},
    {"delay_s": 0.2, "work_s": 0.3},
]
PROMISE = batching(max_delay_ms=80)


@pytest.mark.parametrize("how", SHORT_DELAYS)
@pytest.mark.parametrize("jitter_s", [0.002, 0.01])
def test_a_batcher_that_keeps_its_delay_passes(how, jitter_s):
    for seed in range(5):
        verdict = judged("B4", PROMISE, batches(seed, jitter_s=jitter_s, **how))
        assert (verdict.outcome, verdict.n) == (PASS, 60)


def test_a_busy_machine_fails_no_batcher_that_keeps_its_delay():
    outcomes = [judged("B4", PROMISE, batches(seed, jitter_s=0.03)).outcome for seed in range(20)]
    assert FAIL not in outcomes


@pytest.mark.parametrize("seed", range(5))
def test_a_batcher_that_waits_twice_as_long_soon_after_another_batch_fails(seed):
    seen = batches(seed, wait=twice_soon_after_another)
    verdict = judged("B4", PROMISE, seen)
    assert verdict.outcome == FAIL
    assert "later (" in verdict.found
    soon, _, long = time_waited(seen.ledger, seen.delay_s, seen.looks, seen.gaps).lone
    assert (soon.called.startswith("lone request sent 1"), soon.above >= 18, long.above) == (True, True, 0)


@pytest.mark.parametrize("seed", range(5))
def test_a_batcher_whose_second_member_starts_the_timer_anew_fails_by_its_trickle(seed):
    verdict = judged("B4", PROMISE, batches(seed, extended=1))
    assert verdict.outcome == FAIL
    assert "request of a trickle that opened a batch" in verdict.found


def gaps_of(work_s, delay_s):
    return Gaps.of(ledger([row(FULL, n, work_s) for n in range(20)]), delay_s)


@pytest.mark.parametrize(
    ("work_s", "delay_s", "edges_ms"),
    [
        (0.025, 0.08, [12.5, 80, 176, 400]),
        (0.3, 0.2, [40, 200, 440, 520]),
        (0.02, 0.005, [12, 38.6, 124.3, 400]),
        (2.0, 0.08, [210, 264.6, 333.4, 420]),
    ],
)
def test_gaps_are_of_three_classes_in_random_order(work_s, delay_s, edges_ms):
    gaps = gaps_of(work_s, delay_s)
    drawn = gaps.drawn(60, Random(1))
    assert [edge_s * 1000 for edge_s in gaps.edges_s()] == pytest.approx(edges_ms, rel=0.02)
    assert [sum(low <= gap_s < high for gap_s in drawn) for low, high in pairwise(gaps.edges_s())] == [20, 20, 20]
    assert drawn != sorted(drawn)


def test_lone_requests_take_little_longer_than_with_gaps_of_one_length():
    """Those took 2 x (work + delay) each: 12.6 s of the trial's 65."""
    drawn = gaps_of(0.025, 0.08).drawn(60, Random(1))
    assert 60 * 0.105 + sum(drawn) < 12.6 + 0.05 * 65


def test_the_shortest_gaps_follow_the_longest():
    """Else who waits for twice the delay has the next request for company, which then waits for less."""
    gaps = gaps_of(0.025, 0.08)
    lengths = np.digitize(gaps.drawn(60, Random(2)), gaps.edges_s()[1:-1]).tolist()
    assert lengths == [2, 0] * 20 + [1] * 20


def opened(*rows):
    first, _ = batches_of_a_trickle(ledger(rows), 0.08)
    return [one.sent_s for one in first]


def test_the_first_of_a_batch_is_who_was_sent_first_of_those_answered_together():
    together = [row(TRICKLE, 1.0, 0.1), row(TRICKLE, 1.064, 0.036), row(TRICKLE, 1.128, 0.1), row(TRICKLE, 1.19, 0.038)]
    assert opened(*together) == [1.0, 1.128]
    assert opened(*reversed(together)) == [1.128, 1.0]


def test_a_batch_that_came_due_while_another_was_worked_on_does_not_count():
    assert opened(row(TRICKLE, 1.0, 0.5), row(TRICKLE, 1.2, 0.5)) == [1.0]


def test_batches_of_two_looks_are_not_one():
    assert opened(row(TRICKLE, 1.0, 0.1), row(TRICKLE, 1.001, 0.1, group=1)) == [1.0, 1.001]


def test_a_trickle_without_answers_has_no_batches():
    assert opened(lost(row(TRICKLE, 1.0, 0.1), "timeout")) == []


def test_who_came_last_into_a_batch_of_two_or_more_tells_what_work_takes():
    alone, three = row(TRICKLE, 0.5, 0.1), [row(TRICKLE, 1.0 + 0.064 * n, 0.19 - 0.064 * n) for n in range(3)]
    _, last = batches_of_a_trickle(ledger([alone, *three]), 0.08)
    assert [one.sent_s for one in last] == [pytest.approx(1.128)]


def test_work_that_grows_with_the_batch_hides_no_delay():
    """A full batch takes 60 ms longer than a lone request: as long as the delay is too long, by its bound."""
    for seed in range(5):
        assert judged("B4", PROMISE, batches(seed, full_s=0.09)).outcome == PASS
        assert judged("B4", PROMISE, batches(seed, full_s=0.09, wait=twice_soon_after_another)).outcome == FAIL
        assert judged("B4", PROMISE, batches(seed, full_s=0.09, extended=1)).outcome == FAIL


# after a quiet time


@pytest.mark.parametrize("seed", range(5))
def test_a_batcher_that_sleeps_when_nothing_comes_fails_in_its_second_look(seed):
    seen = batches(seed, wait=parked_when_quiet)
    verdict = judged("B4", PROMISE, seen)
    assert (verdict.outcome, seen.looks) == (FAIL, 2)
    assert "(lone request sent after 2.5 s in which nothing was asked), median 5" in verdict.found


@pytest.mark.parametrize("how", SHORT_DELAYS)
def test_work_may_take_up_to_twice_as_long_after_a_quiet_time(how):
    for seed in range(5):
        seen = batches(seed, quiet_work_s=1.9 * how["work_s"], **how)
        assert (judged("B4", PROMISE, seen).outcome, seen.looks) == (PASS, 1)


@pytest.mark.parametrize(
    ("rows", "slow", "settled"), [(6, 0, True), (8, 1, False), (9, 1, True), (9, 2, False), (12, 2, True)]
)
def test_so_many_of_them_may_be_held_up_by_the_machine_without_a_second_look(rows, slow, settled):
    seen = batches(1)
    sent = [row(QUIET, 100 + 2.6 * n, 0.4 if n < slow else 0.105, target="b") for n in range(rows)]
    waited = time_waited(ledger([*as_rows(seen.ledger.of(FULL, LONE, TRICKLE)), *sent]), seen.delay_s, 1, seen.gaps)
    assert (waited.quiet.above, waited.settled) == (slow, settled)


@pytest.mark.parametrize(("rows", "late", "median"), [(17, 17, "between"), (18, 18, "fail"), (23, 22, "fail")])
def test_so_many_have_to_be_late_to_fail(rows, late, median):
    seen = batches(1)
    sent = [row(QUIET, 100 + 2.6 * n, 0.4 if n < late else 0.105, target="b") for n in range(rows)]
    waited = time_waited(ledger([*as_rows(seen.ledger.of(FULL, LONE, TRICKLE)), *sent]), seen.delay_s, 2, seen.gaps)
    assert waited.quiet.median == median


def test_a_pass_says_what_it_excludes_of_those_after_a_quiet_time():
    assert judged("B4", PROMISE, batches()).detects.endswith(
        "of them above it, or 100% of those sent after 2.5 s in which nothing was asked"
    )


def test_without_requests_after_a_quiet_time_there_is_no_pass_unless_the_record_is_from_before_them():
    seen = batches()
    without = replace(seen, ledger=seen.ledger.of(FULL, LONE, TRICKLE))
    assert judged("B4", PROMISE, without).outcome == INCONCLUSIVE
    assert judged("B4", PROMISE, replace(without, quiet_pod="")).outcome == PASS


@pytest.mark.parametrize(
    ("answer_s", "for_s", "least", "count"),
    [(0.105, 28.0, 6, 10), (0.01, 14.0, 6, 6), (0.01, 15.0, 12, 12), (2, 160, 6, 36)],
)
def test_requests_after_quiet_times_fill_the_time_that_passes_anyway(answer_s, for_s, least, count):
    sent_s = arrivals_s(answer_s, for_s, least)
    assert len(sent_s) == count
    assert sent_s[0] == 2.5
    assert set(np.diff(sent_s).round(6)) == {round(2.5 + answer_s, 6)}
    assert sent_s[-1] <= for_s or count == least
