"""L2 and L3: a rate limit as configured, and a Retry-After that can be taken at its word."""

from dataclasses import replace
from email.utils import formatdate

import pytest

from seatrial.ledger import Request, ledger
from seatrial.trials.rate_limit import FLOOD, SATURATE
from seatrial.trials.sandbox.traffic import LONE
from seatrial.trials.silent_wait import EXHAUST, Patience, promised_wait_s
from seatrial.trials.slow_refill import SlowRefill
from seatrial.verdict import Outcome
from tests.helpers.observations import common, contract, judged
from tests.helpers.overloads import broken, late, refusal
from tests.helpers.rate_limits import BURST, LIMIT, bucket, patience, rate_limited, slow_refill

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


# L2


@pytest.mark.parametrize("header", ["", "soon", "-1", "1.5", formatdate(-3600, usegmt=True), "²"])
def test_a_refusal_without_a_readable_promise_fails_and_is_named(header):
    found = judged("L2", CONTRACT, rate_limited(retry_after=header))
    assert found.outcome is FAIL
    assert found.rows


def test_one_refusal_of_many_without_a_header_is_enough():
    count = iter(range(10**9))

    def bare(row):
        return {**row, "headers": "{}"} if row["status"] == 429 and next(count) == 50 else row

    assert len(judged("L2", CONTRACT, rate_limited(change=bare)).rows) == 1


@pytest.mark.parametrize(
    "waits",
    [
        patience(promised_s=0.0, admitted=False),
        patience(promised_s=1.0, admitted=False),
        (*patience()[:9], Patience(9, False, 1.0, 1.05, False), *patience()[10:]),
        tuple(Patience(n, True, 100.0, 3.2, True) for n in range(15)),
        tuple(Patience(n, True, 3600.0, 3.2, True) for n in range(15)),
        patience(promised_s=3.0),
    ],
    ids=[
        "retry-after-zero", "retry-after-per-request-reset", "one of ten", "retry-after-milliseconds",
        "retry-after-3600", "two and a half seconds too long",
    ],
)  # fmt: skip
def test_a_promise_too_short_or_far_too_long_fails(waits):
    assert outcome("L2", rate_limited(waits=waits)) is FAIL


@pytest.mark.parametrize(("promised_s", "expected"), [(2.45, PASS), (2.46, FAIL)])
def test_two_seconds_beyond_the_true_wait_are_borne(promised_s, expected):
    assert outcome("L2", rate_limited(waits=patience(promised_s=promised_s, true_s=0.45))) is expected


@pytest.mark.parametrize(("late_s", "expected"), [(0.05, PASS), (0.09, PASS), (0.11, INCONCLUSIVE)])
def test_an_admission_after_more_silence_than_promised_may_be_owed_to_the_rest(late_s, expected):
    """A starved generator sends late, and a promise of 0 s looks kept once the bucket has filled."""
    late = Patience(9, False, 1.0, 1.0 + late_s, True)
    assert outcome("L2", rate_limited(waits=(*patience()[:9], late, *patience()[10:]))) is expected


def test_after_a_date_a_second_more_is_planned():
    """Dates have whole seconds, of another clock."""
    dated = tuple(Patience(n, False, 0.4, 1.4, True) for n in range(10))
    assert outcome("L2", rate_limited(waits=(*dated, *patience(0.4)[10:]))) is PASS


def slowly(*promised_and_kept):
    """Rounds at the third rate: what was promised, for how long the client was silent, and what came of it."""
    return slow_refill(*(Patience(n, False, *each) for n, each in enumerate(promised_and_kept)))


def test_a_third_rate_shows_whether_the_wait_follows_from_the_rate():
    found = judged("L2", CONTRACT, rate_limited(slow=slow_refill()))
    assert found.outcome is PASS
    assert found.found.endswith("10 of 10 admitted after the wait; 4 of 4 at 0.3/s, where a token takes 3.3 s")
    assert found.detects.endswith("; one that is too short at 0.3/s")


@pytest.mark.parametrize(
    "waits",
    [
        slowly((1.0, 1.05, False), (1.0, 1.05, True), (1.0, 1.05, False), (1.0, 1.05, False)),
        slowly((3.0, 3.05, True), (2.0, 2.05, True), (1.0, 1.05, False), (3.0, 3.05, True)),
        slowly(*[(7.0, 7.05, True)] * 4),
        SlowRefill(0.3, "ns-slow", "s", (Patience(0, True, 3600.0, 9.7, True),)),
    ],
    ids=["retry-after-constant", "one of four", "twice what a token takes", "an hour, but only at this rate"],
)
def test_a_promise_that_is_true_only_where_tokens_come_often_fails(waits):
    found = judged("L2", CONTRACT, rate_limited(slow=waits))
    assert found.outcome is FAIL
    assert "at 0.3/s" in found.expected


@pytest.mark.parametrize(
    "waits",
    [
        slowly((3.0, 3.05, True), (2.0, 2.05, True)),
        slowly((3.0, 3.3, True), (2.0, 2.3, True), (3.0, 3.05, True), (2.0, 2.05, True)),
    ],
    ids=["too few", "too late"],
)
def test_a_third_rate_of_which_too_little_was_seen_is_inconclusive(waits):
    assert outcome("L2", rate_limited(slow=waits)) is INCONCLUSIVE


def test_a_chart_that_cannot_take_the_third_rate_is_judged_without_and_told_so():
    found = judged("L2", CONTRACT, rate_limited(slow=slow_refill(why_not="expected an integer")))
    assert found.outcome is PASS
    assert found.found.endswith("; not tried at 0.3/s: expected an integer")
    assert "0.3/s" not in found.detects


def test_twice_a_long_true_wait_is_borne():
    assert outcome("L2", rate_limited(waits=patience(promised_s=10.0, true_s=5.0))) is PASS
    assert outcome("L2", rate_limited(waits=patience(promised_s=10.1, true_s=5.0))) is FAIL


def test_a_second_of_jitter_passes():
    waits = tuple(
        Patience(n, False, 1.0 + n % 2, 1.05 + n % 2, True) if n < 10 else Patience(n, True, 1.0 + n % 2, 0.4, True)
        for n in range(15)
    )
    assert outcome("L2", rate_limited(waits=waits)) is PASS


def test_a_date_passes():
    def dated(row):
        answered_s = row["first_byte_s"]
        header = formatdate(int(answered_s + 1.1), usegmt=True)
        return {**row, "headers": f'{{"retry-after": "{header}"}}'} if row["status"] == 429 else row

    assert outcome("L2", rate_limited(change=dated)) is PASS


def test_too_few_refusals_or_waits_are_inconclusive():
    few = rate_limited(change=lambda row: None if row["load"] in (SATURATE, FLOOD, EXHAUST) else row)
    assert outcome("L2", few) is INCONCLUSIVE
    assert outcome("L2", rate_limited(waits=patience()[3:])) is INCONCLUSIVE
    assert outcome("L2", rate_limited(waits=())) is INCONCLUSIVE
    unread = tuple(replace(wait, promised_s=None) for wait in patience())
    assert outcome("L2", rate_limited(waits=unread)) is INCONCLUSIVE


def refusal_with(header: str) -> Request:
    (row,) = common([{"first_byte_s": 100.25, "headers": f'{{"retry-after": "{header}"}}'}])["ledger"]
    return row


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("0", 0.0),
        ("30", 30.0),
        (" 2 ", 2.0),
        (formatdate(1102, usegmt=True), 1.75),
        ("Thursday, 01-Jan-70 00:18:22 GMT", 1.75),
        (formatdate(1100, usegmt=True), 0.0),
        (formatdate(1099, usegmt=True), None),
        ("", None),
        ("1e3", None),
        ("tomorrow", None),
    ],
)
def test_a_promise_is_read_as_seconds_or_as_a_date(header, wait_s):
    """The answer came at 1100.25 on the wall clock."""
    assert promised_wait_s(refusal_with(header), 1000.0) == wait_s


def test_a_refusal_without_headers_promises_nothing():
    (row,) = common([{"first_byte_s": 1.0}])["ledger"]
    assert promised_wait_s(row, 0.0) is None


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
