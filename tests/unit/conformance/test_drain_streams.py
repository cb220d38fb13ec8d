"""D2: a pod that is told to stop tells its streams to their end."""

import pytest

from seatrial.verdict import Outcome
from tests.helpers.drains import DRAIN
from tests.helpers.observations import checks, contract, judged
from tests.helpers.streams import BEFORE_S, DONE, STOPPING, cut, ended, streaming

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
CASES = [{"request": f"Count {n}", "equals": f"{n}"} for n in range(16)]
LONG = {
    "request": {"messages": [{"role": "user", "content": "on"}], "metadata": {"seconds": "{seconds}"}},
    "equals": "at length",
}


def promising(**streaming):
    chat = {"kind": "openai-chat", "model": "m", "streaming": streaming or True, "cases": CASES, "long": LONG}
    return contract(drain=DRAIN, apis={"chat": chat}, inference=None)


CONTRACT = promising()


def verdict(seen, promises=CONTRACT):
    return judged("D2", promises, seen)


def test_streams_told_to_their_end_pass_with_their_number():
    found = verdict(streaming())
    assert found.outcome is PASS
    assert found.n == 12
    assert "a loss of 22% of the streams" in found.detects


@pytest.mark.parametrize(
    ("fault", "becomes"),
    [
        ("stream-eof-no-marker", lambda made, round: ended(made, made["ended_s"], "")),
        ("stream-cut-after-2s", lambda made, round: cut(made, round.told_s + 2.0)),
        ("stream-marker-early", lambda made, round: ended(made, round.told_s + 0.05, DONE)),
        ("stream-reset-on-drain", lambda made, round: cut(made, round.told_s + 0.001, "reset")),
        ("stream-reset before the log says so", lambda made, round: cut(made, round.sigterm_due_s + 0.01, "reset")),
        ("an error told, though the end was promised", lambda made, round: ended(made, round.told_s + 0.05, STOPPING)),
        ("stream-hangs", lambda made, round: cut(made, round.told_s + 5.0, "timeout")),
    ],
)
def test_a_stream_that_ends_otherwise_fails_with_its_rows(fault, becomes):
    seen = streaming(change=becomes)
    found = verdict(seen)
    assert found.outcome is FAIL
    assert found.n == 12
    assert set(found.rows) == {row.row for row in seen.ledger.of("stream")}


def test_one_stream_of_twelve_is_enough():
    def first(made, round):
        chosen = round.index == 1 and made["sent_s"] < round.sigterm_due_s - 0.7
        return cut(made, round.told_s + 1.0) if chosen else made

    found = verdict(streaming(change=first))
    assert found.outcome is FAIL
    assert "1 did not, the first ended 1.00 s after SIGTERM, after 9 of 20 events: cut (eof)" in found.found


def test_a_stream_cut_in_a_run_with_too_few_of_them_fails_all_the_same():
    seen = streaming(before_s=BEFORE_S[:1], change=lambda made, round: cut(made, round.told_s + 1.0))
    assert verdict(seen).outcome is FAIL


@pytest.mark.parametrize(("streams", "outcome"), [(2, INCONCLUSIVE), (3, PASS)])
def test_eight_streams_are_wanted_over_the_rounds(streams, outcome):
    assert verdict(streaming(before_s=BEFORE_S[:streams])).outcome is outcome


@pytest.mark.parametrize(("length_s", "outcome"), [(2.9, INCONCLUSIVE), (3.5, PASS)])
def test_streams_that_would_soon_have_ended_anyway_show_nothing(length_s, outcome):
    assert verdict(streaming(length_s=length_s)).outcome is outcome


def test_streams_without_an_event_before_sigterm_show_nothing():
    late = (0.15, 0.1, 0.05, 0.01)  # the first event comes after 0.2 s
    assert verdict(streaming(before_s=late)).outcome is INCONCLUSIVE


UNDISTURBED = [
    pytest.param(lambda made: None, "none sent", "", id="not sent"),
    pytest.param(
        lambda made: ended(made, 12.0, ""),
        "without its end",
        "; one that nobody disturbed was not right either",
        id="not right",
    ),
]


@pytest.mark.parametrize(("undisturbed", "seen", "told"), UNDISTURBED)
def test_without_a_right_stream_that_nobody_disturbed_nothing_passes(undisturbed, seen, told):
    found = verdict(streaming(undisturbed=undisturbed))
    assert (found.outcome, found.found) == (INCONCLUSIVE, seen)


@pytest.mark.parametrize(("undisturbed", "seen", "told"), UNDISTURBED)
def test_a_stream_cut_by_the_drain_fails_whatever_became_of_the_one_that_nobody_disturbed(undisturbed, seen, told):
    found = verdict(streaming(undisturbed=undisturbed, change=lambda made, round: cut(made, round.told_s + 1.0)))
    assert (found.outcome, found.n) == (FAIL, 12)
    assert found.found.endswith(f"after 9 events: cut (eof){told}")


def test_a_stream_that_had_little_to_come_is_cut_all_the_same():
    """Of 2.9 s, less than 2.5 s were to come: too few for a pass, and yet they were to end properly."""
    seen = streaming(length_s=2.9, change=lambda made, round: cut(made, round.told_s + 1.0))
    assert verdict(seen).outcome is FAIL


def test_an_api_without_a_long_case_has_no_stream_that_could_be_judged():
    bare = {"kind": "openai-chat", "model": "m", "streaming": True, "cases": CASES}
    found = verdict(streaming(), contract(drain=DRAIN, apis={"chat": bare}, inference=None))
    assert (found.outcome, found.found) == (INCONCLUSIVE, "none in apis.chat")


def test_no_stream_on_any_victim_is_inconclusive():
    assert verdict(streaming(change=lambda made, round: None)).outcome is INCONCLUSIVE


def test_streams_that_broke_before_the_deletion_are_another_matter():
    broken = streaming(change=lambda made, round: cut(made, round.deleted_s - 0.05) if round.index else made)
    found = verdict(broken)
    assert (found.outcome, found.n) == (INCONCLUSIVE, 4)


def test_work_that_the_machine_slowed_beyond_the_whole_budget_is_not_the_drains():
    seen = streaming(change=lambda made, round: cut(made, round.told_s + 6.0))
    assert verdict(seen).outcome is INCONCLUSIVE


def test_a_preStop_hook_before_sigterm_makes_no_difference():
    assert verdict(streaming(prestop_s=4.0, exit_s=9.0, exit_seen_s=9.2, removed_s=9.1, closed_s=8.0)).outcome is PASS


def test_where_an_error_is_promised_one_that_is_told_in_the_stream_passes_and_a_cut_stream_does_not():
    promises = promising(on_drain="error")
    ends = [
        lambda made, round: ended(made, round.told_s + 0.5, STOPPING),
        lambda made, round: made,
        lambda made, round: cut(made, round.told_s + 0.5),
        lambda made, round: ended(made, round.told_s + 0.5, DONE),
    ]
    assert [verdict(streaming(change=end), promises).outcome for end in ends] == [PASS, PASS, FAIL, FAIL]


def test_who_promises_no_streams_is_not_judged():
    plain = {"kind": "openai-chat", "model": "m", "cases": CASES, "long": LONG}
    asked = checks()["D2"]
    assert asked.unmade(contract(drain=DRAIN, apis={"chat": plain}, inference=None)) == "inference.streaming"
    assert asked.unmade(CONTRACT) == ""


def test_the_api_that_streams_is_meant_though_another_is_the_default():
    plain = {"kind": "json", "path": "/", "default": True, "cases": [{"request": n, "expect": n} for n in range(16)]}
    chat = {"kind": "openai-chat", "model": "m", "streaming": True, "cases": CASES, "long": LONG}
    assert (
        verdict(streaming(), contract(drain=DRAIN, apis={"plain": plain, "chat": chat}, inference=None)).outcome is PASS
    )
