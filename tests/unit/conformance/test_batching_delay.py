"""B4 on made-up lone requests: how long one waits for others."""

from dataclasses import replace

import pytest

from seatrial.ledger import ledger
from seatrial.trials.batch_delay import FULL, LONE, TRICKLE, time_waited
from seatrial.trials.batching import Batches
from seatrial.verdict import Outcome
from tests.helpers.batches import as_rows, batching
from tests.helpers.observations import common, judged, lost, row

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def waiting(lone_s=0.06, trickle_s=0.06, looks=1, changed=lambda n, look: None, spacing_s=0.16, full=96, delay_s=0.02):
    """Full batches take 50 ms; lone requests and those of a trickle 60 ms, unless `changed` says otherwise."""
    rows = [row(FULL, i * 0.1, 0.05) for i in range(full)]
    for look in range(looks):
        for n in range((60, 120)[look]):
            took_s = changed(n, look)
            at_s = 100 + look * 100 + n * spacing_s
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
    assert not time_waited(seen.ledger, seen.delay_s, seen.spacing_s, looks=1).settled


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
