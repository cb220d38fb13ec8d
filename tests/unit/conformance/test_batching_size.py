"""B3 on made-up bursts: no batch above the largest, at both settings."""

from dataclasses import replace

import numpy as np
import pytest

from seatrial.trials.batching import BURST, RACE, Batches, Setting
from seatrial.trials.concurrency import Span
from seatrial.trials.race import IN_A_ROW, SWEEP, planned
from seatrial.verdict import Outcome
from tests.helpers.batches import BATCHING, batching
from tests.helpers.observations import Counters, common, contract, judged, row

PASS, FAIL, INCONCLUSIVE, SKIPPED = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.SKIPPED


DELAY_S, FULL_S = 0.08, 0.08


def swept(sizes=(8, 4), counted=None, runs=None, late_s=0.0, lost=0, groups=14):
    """Bursts, then a sweep, at each setting; the last `lost` of each row got what closes them `late_s` late."""
    counters, scrapes, rows, settings = Counters(), [], [], []
    sweep = planned(DELAY_S, FULL_S)
    for number, size in enumerate(sizes):
        pod, start_s = "ab"[number], 100.0 * (number + 1)
        scrapes.append(counters.scrape(start_s - 1, pod))
        for group in range(groups):
            rows += [row(f"{BURST}-{size}", start_s + group, group=group, target=pod) for _ in range(4 * size)]
            counters.count(*[size] * 4)
        for at_s, group in zip(*sweep.sent(size), strict=True):
            shifted_s = at_s + late_s * max(0, group % 1000 - (IN_A_ROW - lost))
            rows.append(row(f"{SWEEP}-{size}", start_s + 20 + shifted_s, group=group, target=pod))
        counters.count(*(counted or {}).get(size, [size] * sweep.races), runs=(runs or {}).get(size))
        counters.count(*[size - 1] * len(sweep.rows))
        scrapes.append(counters.scrape(start_s + 51, pod))
        settings.append(Setting(size, pod, Span(start_s, start_s + 50), races=sweep.races))
    return Batches(**common(rows, scrapes=scrapes), pod="a", size=8, delay_s=DELAY_S, settings=tuple(settings))


def test_batches_closed_at_every_moment_of_their_wait_pass():
    verdict = judged("B3", batching(), swept())
    assert verdict.outcome == PASS
    assert verdict.detects.endswith(", and whenever it is closed but for 2 ms")
    assert "largest 8: closed at 80 moments of the wait, at most 1.0 ms apart" in verdict.evidence


@pytest.mark.parametrize("size", [8, 4])
def test_a_single_batch_of_a_sweep_above_the_largest_fails(size):
    assert judged("B3", batching(), swept(counted={size: [size] * 40 + [2 * size - 1] + [size] * 39})).outcome == FAIL


def test_a_size_that_is_no_power_of_two_is_judged_with_buckets_of_powers_of_two():
    verdict = judged("B3", batching(), swept(sizes=(8, 3)))
    assert verdict.outcome == PASS
    assert verdict.expected.endswith("declared largest, nor above 3 when so configured")


@pytest.mark.parametrize("counted", [[4] * 60, [3] * 79 + [4]], ids=["rounded up", "once"])
def test_a_largest_batch_that_is_rounded_up_fails_at_a_size_that_rounding_changes(counted):
    verdict = judged("B3", batching(), swept(sizes=(8, 3), counted={3: counted}))
    assert verdict.outcome == FAIL
    assert verdict.expected == "no batch above 3 when that is the largest"


def test_answers_to_a_sweep_count_against_the_runs():
    assert "more than 8 in one" in judged("B3", batching(), swept(runs={8: 60})).found


def test_a_pass_says_in_what_part_of_the_wait_no_batch_was_closed():
    """The last two of each row came too late: what closes a batch in the second half of its wait."""
    verdict = judged("B3", batching(), swept(late_s=1.0, lost=2))
    assert verdict.outcome == PASS
    assert verdict.detects.endswith("but for 41 ms")


def test_batches_of_which_some_were_refused_are_no_race():
    seen = swept()
    busy = seen.ledger.of(*(name for name in seen.ledger.texts("load") if name.startswith(SWEEP)))
    statuses = np.where(np.isin(seen.ledger.row, busy.row[::5]), 0, seen.ledger.correct)
    assert (
        judged("B3", batching(), replace(seen, ledger=replace(seen.ledger, correct=statuses))).outcome == INCONCLUSIVE
    )


def test_a_sweep_of_which_nothing_was_sent_says_nothing():
    seen = swept()
    rest = seen.ledger.select(seen.ledger.group < 0)
    assert judged("B3", batching(), replace(seen, ledger=rest)).outcome == INCONCLUSIVE


def bursts(sizes=(8, 4), counted=None, runs=None, spread_s=0.001, groups=14):
    """Bursts and races at each setting, as records from before the sweep have them; every batch as full as can be."""
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


def test_a_changed_size_that_no_rollout_brings_to_the_pods_is_told_as_that():
    full, half = (seen := bursts(counted={4: [8, 8, 5]})).settings
    verdict = judged("B3", batching(), replace(seen, settings=(full, replace(half, replaced=False))))
    assert verdict.outcome == FAIL
    assert verdict.found.endswith("; the pods are those from before the change of batch.max, which did not reach them")
    assert "checksum" in verdict.do
    assert "checksum" not in judged("B3", batching(), seen).do


def test_a_server_that_reads_its_size_again_needs_no_rollout():
    full, half = (seen := bursts()).settings
    assert judged("B3", batching(), replace(seen, settings=(full, replace(half, replaced=False)))).outcome == PASS


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
