"""L2: a Retry-After that can be taken at its word."""

from dataclasses import replace
from email.utils import formatdate

import pytest

from seatrial.ledger import Request
from seatrial.trials.rate_limit import FLOOD, SATURATE
from seatrial.trials.silent_wait import EXHAUST, Patience, promised_wait_s
from seatrial.trials.slow_refill import SlowRefill
from seatrial.verdict import Outcome
from tests.helpers.observations import common, contract, judged
from tests.helpers.rate_limits import LIMIT, patience, rate_limited, slow_refill

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
CONTRACT = contract(limits={"rate": LIMIT})


def outcome(id, seen):
    return judged(id, CONTRACT, seen).outcome


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
