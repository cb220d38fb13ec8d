"""L2 and L3: a rate limit as configured, and a Retry-After that can be taken at its word."""

from dataclasses import replace

import pytest

from seatrial.ledger import ledger
from seatrial.trials.rate_limit import SATURATE
from seatrial.trials.sandbox.traffic import LONE
from seatrial.verdict import Outcome
from tests.helpers.observations import contract, judged
from tests.helpers.overloads import broken, late, refusal
from tests.helpers.rate_limits import BURST, LIMIT, bucket, rate_limited

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
CONTRACT = contract(limits={"rate": LIMIT})


def outcome(id, seen):
    return judged(id, CONTRACT, seen).outcome


@pytest.mark.parametrize("id", ["L2", "L3"])
def test_a_bucket_as_configured_passes(id):
    found = judged(id, CONTRACT, rate_limited())
    assert found.outcome is PASS
    assert found.n >= 100


@pytest.mark.parametrize("id", ["L2", "L3"])
def test_nothing_seen_is_never_a_pass(id):
    assert outcome(id, replace(rate_limited(), ledger=ledger([]), windows=(), waits=())) is INCONCLUSIVE
    assert outcome(id, rate_limited(change=lambda row: None)) is INCONCLUSIVE


# L3


def with_the_pods_of_before(seen):
    """The change to the second rate replaced no pod."""
    first, second = seen.windows
    return replace(seen, windows=(first, replace(second, replaced=False)))


def test_a_changed_rate_that_no_rollout_brings_to_the_pods_is_told_as_that():
    seen = with_the_pods_of_before(rate_limited(admits=value_ignored))
    verdict = judged("L3", CONTRACT, seen)
    assert verdict.outcome is FAIL
    assert verdict.found.startswith("at 20/s with burst 20: ")
    assert verdict.found.endswith("; the pods are those from before the change of rate, and keep 10/s")
    assert "checksum" in verdict.do
    ignored = judged("L3", CONTRACT, rate_limited(admits=value_ignored))
    assert "checksum" not in ignored.do, "new pods that ignore the value have another fault"


def test_a_rate_that_is_neither_the_new_one_nor_the_old_one_is_not_called_the_old_one():
    def neither(arrivals_s, rate):
        return bucket()(arrivals_s, 10.0 if rate == 10 else 14.0)

    verdict = judged("L3", CONTRACT, with_the_pods_of_before(rate_limited(admits=neither)))
    assert verdict.outcome is FAIL
    assert verdict.found.endswith("before the change of rate")


def test_a_server_that_reads_its_configuration_again_needs_no_rollout():
    assert outcome("L3", with_the_pods_of_before(rate_limited())) is PASS


def per_minute(arrivals_s, rate):
    left = 60 * rate
    return [n < left for n in range(len(arrivals_s))]


def refusals_burn_tokens(arrivals_s, rate):
    left, at_s, told = BURST, arrivals_s[0], []
    for arrival_s in arrivals_s:
        left, at_s = min(BURST, left + rate * (arrival_s - at_s)), arrival_s
        told.append(left >= 1)
        left = max(left - 1, -BURST)
    return told


def value_ignored(arrivals_s, rate):
    return bucket()(arrivals_s, 10.0)


@pytest.mark.parametrize(
    "admits",
    [
        bucket(burst=2 * BURST, factor=2.0),
        refusals_burn_tokens,
        bucket(burst=1.0),
        per_minute,
        bucket(factor=1.1),
        bucket(factor=0.9),
        bucket(factor=0.95),
        bucket(tokens=0.0),
        bucket(step_s=1.0),
        value_ignored,
        bucket(burst=BURST + 3),
        lambda arrivals_s, rate: [True] * len(arrivals_s),
    ],
    ids=[
        "rate-per-process", "rate-rejects-burn-tokens", "rate-burst-ignored", "rate-per-minute",
        "rate-off-by-10-percent", "ten percent too few", "rate-5-percent-slow", "rate-starts-empty",
        "rate-refills-each-second", "rate-value-ignored", "burst of three more", "no limit",
    ],
)  # fmt: skip
@pytest.mark.parametrize("answered_s", [0.05, 0.16])
def test_another_bucket_than_configured_fails(admits, answered_s):
    assert outcome("L3", rate_limited(admits=admits, answered_s=answered_s)) is FAIL


@pytest.mark.parametrize(
    ("admits", "found", "do"),
    [
        (bucket(burst=1.0), "the bucket held about 1 for a burst of 20, and its rate is as configured", "hold the"),
        (bucket(burst=5.0), "the bucket held about 5 for a burst of 20, and its rate is as configured", "hold the"),
        (bucket(burst=0.0), "the bucket held about 0 for a burst of 20, and its rate is another, too", "keep one"),
        (bucket(burst=1.0, factor=0.5), "about 1 for a burst of 20, and its rate is another, too", "keep one"),
        (lambda arrivals_s, rate: [True] * len(arrivals_s), "nothing was refused", "keep one"),
    ],
    ids=["burst of one", "burst of five", "burst of none", "burst of one and half the rate", "no limit"],
)
def test_a_burst_that_is_too_small_is_told_from_a_rate_that_is_off(admits, found, do):
    """A bucket of one token admits a quarter less of Poisson arrivals, and its rate is right."""
    verdict = judged("L3", CONTRACT, rate_limited(admits=admits))
    assert verdict.outcome is FAIL
    assert verdict.found.endswith(found)
    assert do in verdict.do


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_of_a_rate_that_is_off_the_burst_is_not_blamed(factor):
    verdict = judged("L3", CONTRACT, rate_limited(admits=bucket(factor=factor)))
    assert "held about" not in verdict.found
    assert "configured rate" in verdict.do


def test_a_bucket_is_judged_from_its_pods_first_request_on():
    """The lone cases before the saturation are the first; and the bucket has filled when that comes."""
    found = judged("L3", CONTRACT, rate_limited(admits=bucket(tokens=0.0)))
    assert found.outcome is FAIL
    assert "one refused 0.0 s after the first request, when at most 0 of 20.0 tokens were taken" in found.found


def test_where_nobody_knows_what_a_pod_was_asked_before_its_bucket_need_not_have_been_full():
    """As in records of an earlier state: they say nothing of it."""
    assert outcome("L3", rate_limited(admits=bucket(tokens=0.0), since_first=False)) is PASS
    assert judged("L3", CONTRACT, rate_limited(since_first=False)).detects == "a rate off by 5%, or a burst off by 2"


@pytest.mark.parametrize(
    ("answered_s", "excluded"),
    [(0.05, "a rate off by 3%, or a burst off by 4"), (2.0, "a rate off by 11%, or a burst off by 22")],
)
def test_a_pass_says_how_far_off_would_show(answered_s, excluded):
    """Admissions lie somewhere between sending and answer: how many too many there were shows the less, the longer."""
    assert judged("L3", CONTRACT, rate_limited(answered_s=answered_s)).detects == excluded


def test_a_lone_request_that_is_neither_right_nor_refused_counts():
    lost = rate_limited(change=lambda row: {**row, "status": 500, "correct": 0} if row["load"] == LONE else row)
    assert outcome("L3", lost) is FAIL


@pytest.mark.parametrize(
    "becomes",
    [
        lambda row: broken(row, "reset", 0.01),
        lambda row: {**row, "status": 500, "correct": 0},
        lambda row: {**row, "correct": 0},
    ],
    ids=["reset", "500", "a wrong answer"],
)
def test_a_single_row_that_is_neither_right_nor_refused_fails_and_is_named(becomes):
    count = iter(range(10**9))
    seen = rate_limited(change=lambda row: becomes(row) if row["load"] == SATURATE and next(count) == 100 else row)
    found = judged("L3", CONTRACT, seen)
    assert (found.outcome, len(found.rows)) == (FAIL, 1)


def test_slow_answers_do_not_accuse_a_healthy_bucket():
    count = iter(range(10**9))
    slow = rate_limited(change=lambda row: late(row, 0.4 if next(count) % 3 else 0.01))
    assert outcome("L3", slow) is not FAIL


@pytest.mark.parametrize(("demand", "expected"), [(2.5, INCONCLUSIVE), (3.6, PASS), (6.0, PASS)])
def test_the_demand_is_three_times_the_rate(demand, expected):
    assert outcome("L3", rate_limited(demand=demand)) is expected


def test_one_configured_rate_says_nothing_about_the_value():
    assert outcome("L3", rate_limited(windows=1)) is INCONCLUSIVE


def test_a_bucket_that_was_never_seen_empty_is_inconclusive():
    """Without refusals in a row the rate is not known; too few tokens were asked for."""
    seen = rate_limited(demand=3.6)
    rows = seen.ledger.of(SATURATE)
    thin = rows.select((rows.group == 1) | (rows.sent_s < 21))
    short = tuple(replace(w, end_s=w.start_s + (1.0 if w.index == 0 else 20.0)) for w in seen.windows)
    assert outcome("L3", replace(seen, ledger=thin, windows=short)) is INCONCLUSIVE


def test_a_burst_larger_than_what_a_second_offers_is_not_judged():
    seen = rate_limited()
    huge = tuple(replace(window, burst=5000.0) for window in seen.windows)
    assert outcome("L3", replace(seen, windows=huge)) is not PASS
    rows = seen.ledger.of(SATURATE)
    spread = rows.select((rows.sent_s - rows.sent_s.min()) % 100 > 0.9)
    few = replace(seen, ledger=spread, windows=tuple(replace(w, burst=60.0) for w in seen.windows))
    assert outcome("L3", few) is not PASS


# another limit at work

BUSY = {"limit": 4, "reject": {"status": 503, "body": {"error": "busy"}}}


def some_refused_as(status, body):
    """Every tenth case of the saturated windows is refused for another reason than the rate."""
    count = iter(range(10**9))

    def change(row):
        chosen = row["load"] == SATURATE and row["correct"] == 1 and next(count) % 10 == 9
        return refusal(row, status=status, body=body) if chosen else row

    return rate_limited(change=change)


def test_what_a_concurrency_limit_in_force_refuses_is_not_held_against_the_rate():
    both = contract(limits={"rate": LIMIT, "concurrency": BUSY})
    seen = some_refused_as(503, '{"error": "busy"}')
    assert judged("L3", both, replace(seen, slots=4)).outcome is INCONCLUSIVE
    assert judged("L3", both, seen).outcome is FAIL, "none is in force"
    assert judged("L3", CONTRACT, replace(seen, slots=4)).outcome is FAIL, "none is declared"


def test_where_both_limits_refuse_alike_a_full_replica_explains_a_refusal_and_an_idle_one_does_not():
    alike = contract(
        limits={
            "rate": {**LIMIT, "reject": {"status": 429}},
            "concurrency": {"limit": 2, "reject": {"status": 429}},
        }
    )
    assert judged("L3", alike, replace(rate_limited(), slots=2)).outcome is INCONCLUSIVE, "20 came at once"
    assert judged("L3", alike, replace(rate_limited(), slots=100)).outcome is PASS
    assert judged("L3", alike, rate_limited()).outcome is PASS


def test_an_error_counts_whatever_a_concurrency_limit_refused():
    both = contract(limits={"rate": LIMIT, "concurrency": BUSY})
    seen = some_refused_as(500, "{}")
    assert judged("L3", both, replace(seen, slots=4)).outcome is FAIL
