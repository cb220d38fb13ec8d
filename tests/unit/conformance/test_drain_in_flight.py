"""D1: a pod that is told to stop finishes what it has accepted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.trials.pod_deletion import REQUESTS
from seatrial.verdict import Outcome
from tests.helpers.drains import DRAIN, deletion, refused, reset, with_rounds
from tests.helpers.observations import contract, judged, wrong

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
CONTRACT = contract(drain=DRAIN)


def verdict(seen, promises=CONTRACT):
    return judged("D1", promises, seen)


def in_flight(row, round):
    return row["load"] in REQUESTS and row["sent_s"] <= round.told_s - 0.02 and row["ended_s"] > round.told_s


def where(holds, becomes):
    """Change the rows of which something holds."""
    return lambda row, round: becomes(row, round) if holds(row, round) else row


def test_a_pod_that_finishes_everything_passes_with_what_it_finished():
    found = verdict(deletion())
    assert found.outcome is PASS
    assert found.n >= 50
    assert "a loss of" in found.detects


@pytest.mark.parametrize(
    ("fault", "load", "cut"),
    [
        ("drain-drop-last-100ms", "short", lambda row, round: reset(row, round.told_s + 0.01)),
        ("drain-drops-queued", "long", lambda row, round: wrong(row, '{"error":"stopping"}', 503)),
        ("drain-drops-half-sent", "half-sent", lambda row, round: reset(row, round.told_s + 0.005)),
        ("drain-cap-1s", "long", lambda row, round: reset(row, round.told_s + 1.0)),
        ("an empty 200", "short", lambda row, round: wrong(row, "")),
        ("a truncated answer", "short", lambda row, round: {**row, "error": "eof", "correct": 0}),
        ("keep-alive connections are closed at once", "kept-0", lambda row, round: reset(row, round.told_s + 0.001)),
    ],
)
def test_accepted_requests_that_are_lost_fail_with_their_rows(fault, load, cut):
    seen = deletion(change=where(lambda row, round: row["load"] == load and in_flight(row, round), cut))
    found = verdict(seen)
    assert found.outcome is FAIL, fault
    loads = {row.load for row in seen.ledger if row.row in found.rows}
    assert loads == {load}


def test_large_requests_that_are_finished_are_told_of_in_a_pass():
    found = verdict(deletion(large=True))
    assert found.outcome is PASS
    assert found.detects.endswith("of the large ones, 28%")


@pytest.mark.parametrize("load", ["large", "large-half-sent"])
def test_a_pod_that_finishes_only_small_bodies_fails(load):
    cut = where(lambda row, round: row["load"] == load, lambda row, round: reset(row, round.told_s + 0.01))
    found = verdict(deletion(large=True, change=cut))
    assert found.outcome is FAIL
    assert f"the first ({load}) reset" in found.found


def test_large_requests_that_were_sent_and_not_open_at_sigterm_are_inconclusive():
    over = where(
        lambda row, round: row["load"].startswith("large"), lambda row, round: {**row, "ended_s": row["sent_s"] + 0.05}
    )
    found = verdict(deletion(large=True, change=over))
    assert (found.outcome, found.found) == (INCONCLUSIVE, "0 of 9 that were sent")


def test_large_requests_that_a_limit_refused_are_no_losses():
    busy = contract(drain=DRAIN, limits={"concurrency": {"limit": 8, "reject": {"status": 503, "body": {"e": "busy"}}}})
    refusal = where(lambda row, round: row["load"] == "large", lambda row, round: wrong(row, '{"e":"busy"}', 503))
    assert verdict(deletion(large=True, change=refusal), busy).outcome is PASS


def test_large_requests_that_outlast_the_budget_are_put_down_to_the_machine():
    slow = where(
        lambda row, round: row["load"] == "large", lambda row, round: reset(row, round.told_s + deletion().budget_s)
    )
    found = verdict(deletion(large=True, change=slow))
    assert (found.outcome, found.found) == (INCONCLUSIVE, "6 cut when the whole budget was spent")


def test_cases_of_a_further_api_that_are_finished_are_told_of_in_a_pass():
    found = verdict(deletion(further=True))
    assert found.outcome is PASS
    assert found.detects.endswith("of those of further APIs, 22%")


def test_a_pod_that_finishes_only_the_default_api_fails_and_the_other_one_is_named():
    cut = where(
        lambda row, round: row["load"] == "further" and in_flight(row, round),
        lambda row, round: reset(row, round.told_s + 0.01),
    )
    found = verdict(deletion(further=True, change=cut))
    assert found.outcome is FAIL
    assert "the first (further, apart case-2) reset" in found.found


def test_long_requests_of_a_further_api_are_named_by_it():
    cut = where(
        lambda row, round: row["load"] == "long" and round.index == 1 and in_flight(row, round),
        lambda row, round: reset(row, round.told_s + 3.0),
    )
    found = verdict(with_rounds(deletion(change=cut), {1: {"asks": "apart"}}))
    assert found.outcome is FAIL
    assert "the first (long of apart) reset" in found.found


@pytest.mark.parametrize("load", ["short", "half-sent", "further"])
def test_short_requests_that_are_there_to_the_end_of_the_budget_are_put_down_to_the_machine_beside_long_ones(load):
    def cut(*loads):
        return where(
            lambda row, round: row["load"] in loads and in_flight(row, round),
            lambda row, round: reset(row, round.told_s + deletion().budget_s),
        )

    assert verdict(deletion(further=True, change=cut(load, "nearly"))).outcome is INCONCLUSIVE
    assert verdict(deletion(further=True, change=cut(load))).outcome is FAIL


def test_cases_of_a_further_api_that_a_limit_refused_are_no_losses():
    busy = contract(drain=DRAIN, limits={"concurrency": {"limit": 8, "reject": {"status": 503, "body": {"e": "busy"}}}})
    refusal = where(lambda row, round: row["load"] == "further", lambda row, round: wrong(row, '{"e":"busy"}', 503))
    assert verdict(deletion(further=True, change=refusal), busy).outcome is PASS


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_single_request_in_flight_that_goes_wrong_fails_and_is_named(data):
    seen = deletion(large=True, further=True)
    rows = [
        row
        for round in seen.loaded()
        for row in seen.ledger.in_group(round.index).to(round.victim).of(*REQUESTS)
        if row.sent_s <= round.told_s - 0.02 and row.ended_s > round.told_s
    ]
    chosen = data.draw(st.sampled_from(rows))
    correct = np.where(seen.ledger.row == chosen.row, 0, seen.ledger.correct)
    found = verdict(replace(seen, ledger=replace(seen.ledger, correct=correct)))
    assert (found.outcome, found.rows) == (FAIL, (chosen.row,))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter(seed):
    seen = deletion()
    order = np.random.default_rng(seed).permutation(len(seen.ledger))
    found = verdict(replace(seen, ledger=seen.ledger.select(order)))
    assert (found.outcome, found.n) == (PASS, verdict(seen).n)


def test_requests_cut_before_the_log_tells_of_the_signal_are_lost_all_the_same():
    """The line is stamped when the runtime reads it; the connections were cut a moment earlier."""
    early = where(lambda row, round: row["load"] == "long", lambda row, round: reset(row, round.told_s - 0.03))
    assert verdict(deletion(change=early)).outcome is FAIL


def test_what_was_sent_between_sigterm_and_a_late_sign_fails_nobody():
    """A starved machine: the log's line came a second late, and the container refuses since SIGTERM."""

    def since_due(row, round):
        return row["load"] in REQUESTS and round.sigterm_due_s <= row["sent_s"] and in_flight(row, round)

    def refuse(row, round):
        return wrong(row, '{"error":"stopping"}', 503)

    late = {"sign_s": 1.0}
    found = verdict(deletion(change=where(since_due, refuse), **late))
    assert found.outcome is INCONCLUSIVE
    assert "a sign 1.00 s after SIGTERM was due" in found.found
    assert found.rows
    assert verdict(deletion(change=where(since_due, refuse))).outcome is FAIL  # a sign in time tells who came before


REFUSAL = '{"error":"stopping"}'


def stalled(for_s, answered_after_s):
    """A server that reads nothing for so long before it hears SIGTERM, and refuses what it reads so long after that."""

    def change(row, round):
        if row["load"] not in ("short", "kept-0") or row["sent_s"] <= round.told_s - for_s:
            return row
        return {**wrong(row, REFUSAL, 503), "ended_s": (at_s := max(row["sent_s"], round.told_s) + answered_after_s),
                "first_byte_s": at_s - 0.0005}  # fmt: skip

    return change


@pytest.mark.parametrize("sign_s", [0.12, 0.29])
def test_what_a_stalled_server_may_have_read_after_the_signal_is_not_in_flight(sign_s):
    def in_one_round(row, round):
        return stalled(0.11, 0.06)(row, round) if round.index == 1 else row

    found = verdict(deletion(change=in_one_round, sign_s=sign_s))
    assert found.outcome is PASS
    assert found.n >= 50


def test_a_server_that_stalls_at_every_signal_is_not_judged():
    found = verdict(deletion(change=stalled(0.11, 0.06)))
    assert found.outcome is INCONCLUSIVE
    assert found.found == "0.06 s until it refused what came after"
    assert "more cores" in found.do


def test_a_server_that_reads_promptly_had_read_what_it_refuses():
    """The last 110 ms before SIGTERM are refused just as before, while refusals take 5 ms."""
    found = verdict(deletion(change=stalled(0.11, 0.005)))
    assert found.outcome is FAIL
    assert found.found.endswith("(short) answered 503 after 0.11 s")


def test_however_long_a_server_stalls_what_was_sent_half_a_second_before_was_read():
    def longs_too(row, round):
        if row["load"] == "long" and in_flight(row, round) and row["sent_s"] < round.told_s - 0.5:
            return wrong(row, REFUSAL, 503)
        return stalled(0.11, 3.0)(row, round)

    seen = deletion(change=longs_too)
    found = verdict(seen)
    assert found.outcome is FAIL
    assert {row.load for row in seen.ledger if row.row in found.rows} == {"long"}


def test_what_is_given_up_later_than_others_are_refused_had_been_read():
    """Drained for 1 s: what came around the signal is answered 503 then, while new requests are refused at once."""

    def capped(row, round):
        if row["load"] == "short" and row["sent_s"] > round.told_s + 0.05:
            return {**wrong(row, REFUSAL, 503), "first_byte_s": row["sent_s"] + 0.004, "ended_s": row["sent_s"] + 0.005}
        if row["load"] == "short" and row["sent_s"] > round.told_s - 0.1:
            return {**wrong(row, REFUSAL, 503), "first_byte_s": round.told_s + 1.0, "ended_s": round.told_s + 1.0}
        return row

    seen = deletion(change=capped)
    found = verdict(seen)
    assert found.outcome is FAIL
    assert min(row.sent_s - seen.rounds[row.group].told_s for row in seen.ledger if row.row in found.rows) < -0.08


def test_refusals_before_the_sign_say_that_it_is_late():
    """The log's line is stamped 0.25 s after SIGTERM was due, and the server has refused at once since 0.05 s."""

    def since_signal(row, round):
        heard_s = round.sigterm_due_s + 0.05
        if row["load"] != "short" or row["sent_s"] < heard_s - 0.015:
            return row
        return {**wrong(row, REFUSAL, 503), "ended_s": max(row["sent_s"], heard_s) + 0.005,
                "first_byte_s": max(row["sent_s"], heard_s) + 0.004}  # fmt: skip

    assert verdict(deletion(change=since_signal, sign_s=0.25)).outcome is PASS


def test_what_a_declared_limit_refuses_says_nothing_of_how_promptly_the_server_reads():
    busy = {"limit": 4, "reject": {"status": 503, "body": {"error": "busy"}}}

    def change(row, round):
        if row["load"] == "kept-1" and row["sent_s"] > round.sigterm_due_s:
            return {**wrong(row, '{"error": "busy"}', 503), "ended_s": row["sent_s"] + 0.4,
                    "first_byte_s": row["sent_s"] + 0.4}  # fmt: skip
        return stalled(0.11, 0.005)(row, round)

    limited = contract(drain=DRAIN, limits={"concurrency": busy})
    assert verdict(deletion(change=change), limited).outcome is FAIL


def test_after_a_hook_of_unknown_length_the_sign_alone_says_when_sigterm_came():
    """Its end is not late: nobody knows when it was due, and what was accepted while the hook ran is in flight."""

    def since_due(row, round):
        return row["load"] in REQUESTS and round.sigterm_due_s <= row["sent_s"] and in_flight(row, round)

    lost = where(since_due, lambda row, round: reset(row, round.told_s + 0.05))
    assert verdict(deletion(change=lost, prestop_known=False, sign_s=1.0)).outcome is FAIL


def test_what_was_sent_before_sigterm_is_lost_however_late_the_sign():
    def before(row, round):
        return row["load"] == "long" and row["sent_s"] < round.sigterm_due_s - 0.02 and in_flight(row, round)

    seen = deletion(change=where(before, lambda row, round: wrong(row, "{}", 503)), sign_s=1.0)
    assert verdict(seen).outcome is FAIL


@pytest.mark.parametrize(("before_sign_s", "outcome"), [(0.015, PASS), (0.025, FAIL)])
def test_a_request_sent_less_than_20_ms_before_the_signal_may_be_lost(before_sign_s, outcome):
    def moved(row, round):
        if row["load"] == "half-sent" and row["sent_s"] < round.sigterm_due_s - 0.05:
            shift = round.told_s - before_sign_s - row["sent_s"]
            return reset({**row, "sent_s": row["sent_s"] + shift, "connected_s": row["connected_s"] + shift}, 1e6)
        return row

    assert verdict(deletion(change=moved)).outcome is outcome


def test_a_listener_that_closes_at_sigterm_refuses_what_it_never_accepted():
    """D3 and D4 judge whether it closed too early; a refused request was not in flight."""
    after = where(
        lambda row, round: row["load"] == "short" and row["sent_s"] > round.sigterm_due_s + 0.08,
        lambda row, round: {**refused(row), "ended_s": round.told_s + 0.01},
    )
    assert verdict(deletion(change=after)).outcome is PASS


def test_a_refusal_that_the_contract_declares_for_a_full_replica_is_no_lost_work():
    busy = {"limit": 4, "reject": {"status": 503, "body": {"error": "busy"}}}
    full = where(
        lambda row, round: row["load"] == "short" and round.index == 0 and in_flight(row, round),
        lambda row, round: wrong(row, '{"error": "busy"}', 503),
    )
    limited = contract(drain=DRAIN, limits={"concurrency": busy})
    assert verdict(deletion(change=full), limited).outcome is PASS
    assert verdict(deletion(change=full), CONTRACT).outcome is FAIL


@pytest.mark.parametrize(
    "missing",
    [("long", "short"), ("short", "kept-0", "kept-1", "kept-2", "kept-3", "half-sent"), ("half-sent",)],
    ids=["too few open", "none sent in the last 100 ms", "no half-sent body"],
)
def test_too_little_in_flight_is_inconclusive(missing):
    found = verdict(deletion(change=lambda row, round: None if row["load"] in missing else row))
    assert found.outcome is INCONCLUSIVE


def test_refused_half_sent_requests_do_not_count_as_bodies_under_way():
    gone = where(lambda row, round: row["load"] == "half-sent", lambda row, round: refused(row))
    assert verdict(deletion(change=gone)).outcome is INCONCLUSIVE


def test_nothing_seen_is_never_a_pass():
    assert verdict(replace(deletion(), rounds=())).outcome is INCONCLUSIVE
    assert verdict(deletion(change=lambda row, round: None)).outcome is INCONCLUSIVE


@pytest.mark.parametrize(
    "odd",
    [
        {"exit_codes": (143,)},
        {"prestop_s": 4.0, "closed_s": 4.15, "exit_s": 9.5, "exit_seen_s": 9.7, "removed_s": 9.6},
        {"sign_s": None},
        {"headers": '{"connection": "close"}'},
    ],
    ids=["exit 143", "a preStop hook of 4 s, the listener closed at SIGTERM", "no sign in the log", "http10-close"],
)
def test_healthy_but_odd_pods_pass(odd):
    headers = odd.pop("headers", "")
    seen = deletion(change=lambda row, round: {**row, "headers": headers}, **odd)
    assert verdict(seen).outcome is PASS
