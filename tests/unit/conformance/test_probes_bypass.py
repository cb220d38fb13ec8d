"""P10: probes are answered, whatever limits refuse."""

from dataclasses import replace

import pytest

from seatrial.trials.held_slots import EXTRA
from seatrial.trials.rate_limit import FLOOD, RateLimited
from seatrial.verdict import Outcome
from tests.helpers import rate_limits
from tests.helpers.observations import checks, contract
from tests.helpers.overloads import CONCURRENCY, HELD_S, PROBES, broken, overload
from tests.helpers.rate_limits import rate_limited

PASS, FAIL, INCONCLUSIVE, SKIPPED = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.SKIPPED


def promises(**limits):
    made = contract(probes=PROBES, limits=limits)
    long = {"request": {"text": "{seconds}"}, "expect": {"answer": "{seconds}"}}
    inference = {**made.inference.model_dump(), "long": long}
    return made.model_validate({**made.model_dump(), "inference": inference})


BOTH = promises(rate=rate_limits.LIMIT, concurrency=CONCURRENCY)


def p10(limited, overloaded, contract=BOTH):
    names = checks()["P10"].observes()
    given = {name: limited if kind is RateLimited else overloaded for name, kind in names.items()}
    return checks()["P10"].function(**checks()["P10"].of_contract(contract), **given)


def probes(becomes, kind="probe-", every=1):
    count = iter(range(10**9))

    def change(row):
        hit = row["load"].startswith(kind) and next(count) % every == every - 1
        return becomes(row) if hit else row

    return change


def test_probes_that_are_answered_whatever_is_refused_pass():
    found = p10(rate_limited(), overload())
    assert (found.outcome, found.n) == (PASS, 720)


def without_refusals(load, start_s, end_s):
    return lambda row: None if row["load"] == load and start_s <= row["sent_s"] < end_s else row


def test_probes_beside_which_nothing_was_refused_in_time_are_not_counted_and_cost_no_verdict():
    held_up = without_refusals(EXTRA, HELD_S + 2.0, HELD_S + 2.5)
    found = p10(None, overload(change=held_up), promises(concurrency=CONCURRENCY))
    assert found.outcome is PASS
    assert 200 <= found.n < 240


def test_a_probe_that_fails_where_nothing_shows_the_limiter_is_held_against_nobody_and_not_passed_over():
    def change(row):
        if row["load"] == "probe-liveness" and HELD_S + 2.2 <= row["sent_s"] < HELD_S + 2.3:
            return {**row, "status": 503}
        return without_refusals(EXTRA, HELD_S + 2.0, HELD_S + 2.5)(row)

    found = p10(None, overload(change=change), promises(concurrency=CONCURRENCY))
    assert found.outcome is INCONCLUSIVE
    assert "answered 503" in found.found


@pytest.mark.parametrize(
    "becomes",
    [
        probes(lambda row: {**row, "status": 401}, "probe-liveness"),
        probes(lambda row: {**row, "status": 503}, "probe-readiness"),
        probes(lambda row: {**row, "status": 403}),
        probes(lambda row: {**row, "status": 429}, every=100),
        probes(lambda row: broken(row, "timeout", 1.0), every=150),
        probes(lambda row: {**row, "status": 302}, "probe-readiness", every=50),
    ],
    ids=["probe-behind-auth", "concurrency-gate", "host-allowlist", "ip-limit", "one times out", "one redirects"],
)
def test_a_probe_that_is_refused_fails_and_is_named(becomes):
    limited = rate_limited(change=becomes)
    found = p10(limited, overload())
    assert found.outcome is FAIL
    assert {row.load for row in limited.ledger if row.row in found.rows} <= {"probe-readiness", "probe-liveness"}
    assert found.rows
    assert p10(rate_limited(), overload(change=becomes)).outcome is FAIL


@pytest.mark.parametrize("rate", [10.0, 5.0])
def test_probes_that_take_tokens_fail(rate):
    slower = {**rate_limits.LIMIT, "per_second": rate}
    contract = promises(rate=slower, concurrency=CONCURRENCY)
    assert p10(rate_limited(rate=rate), overload(), contract).outcome is PASS
    assert p10(rate_limited(rate=rate, probe_tokens=True), overload(), contract).outcome is FAIL


def test_too_few_tokens_to_miss_any_are_inconclusive():
    short = rate_limited(change=lambda row: None if row["load"] == FLOOD and row["sent_s"] > 205.9 else row)
    slow = promises(rate={**rate_limits.LIMIT, "per_second": 6.0}, concurrency=CONCURRENCY)
    found = p10(replace(short), overload(), slow)
    assert found.outcome is INCONCLUSIVE


def thin(load, gap_s):
    last = {}

    def change(row):
        if row["load"] != load or row["status"] == 200:
            return row
        if row["sent_s"] - last.get(row["pod"], -1e9) < gap_s:
            return None
        last[row["pod"]] = row["sent_s"]
        return row

    return change


@pytest.mark.parametrize(
    ("limited", "overloaded"),
    [
        (rate_limited(), overload(change=without_refusals(EXTRA, HELD_S + 2.0, HELD_S + 3.2))),
        (rate_limited(change=thin(FLOOD, 0.25)), overload()),
        (rate_limited(), overload(change=thin(EXTRA, 0.25))),
        (rate_limited(change=lambda row: None if row["load"] == FLOOD else row), overload()),
        (rate_limited(), overload(change=lambda row: None if row["load"] == EXTRA else row)),
        (rate_limited(change=probes(lambda row: None, every=5)), overload()),
        (rate_limited(), overload(change=probes(lambda row: None))),
        (rate_limited(), overload(held_pod="")),
        (None, None),
    ],
    ids=[
        "nothing refused for too long",
        "refusals too far apart", "slots not seen full around each probe", "the limiter left alone", "slots free",
        "fewer than a hundred of a kind", "no probes", "no pod held", "neither was seen",
    ],
)  # fmt: skip
def test_p10_without_an_exhausted_limiter_is_inconclusive(limited, overloaded):
    assert p10(limited, overloaded).outcome is INCONCLUSIVE


REFUSED = probes(lambda row: {**row, "status": 503})


@pytest.mark.parametrize(
    ("limited", "overloaded", "told"),
    [
        (rate_limited(change=thin(FLOOD, 0.25)), overload(change=REFUSED), "slots held"),
        (rate_limited(change=REFUSED), overload(held_pod=""), "bucket empty"),
        (
            rate_limited(change=lambda row: None if row["load"] == FLOOD else row),
            overload(change=REFUSED),
            "slots held",
        ),
    ],
    ids=["bucket not seen empty", "no pod held", "no flood"],
)
def test_a_failure_seen_in_one_situation_is_one_whatever_the_other_lacks(limited, overloaded, told):
    found = p10(limited, overloaded)
    assert found.outcome is FAIL
    assert told in found.found


def test_either_limit_alone_can_be_judged():
    assert p10(rate_limited(), None, promises(rate=rate_limits.LIMIT)).outcome is PASS
    assert p10(None, overload(), promises(concurrency=CONCURRENCY)).outcome is PASS


def test_a_chart_with_one_kind_of_probe_is_judged_on_that():
    one = probes(lambda row: None, "probe-liveness")
    assert p10(rate_limited(change=one), overload(change=one)).outcome is PASS


def test_without_probes_there_is_nothing_to_judge():
    assert p10(rate_limited(), overload(), contract(limits={"concurrency": CONCURRENCY})).outcome is SKIPPED


def test_204_and_probes_on_a_port_of_their_own_pass():
    assert p10(rate_limited(change=probes(lambda row: {**row, "status": 204})), overload()).outcome is PASS
