"""P1 and P11: what a ready pod does, and what its readiness path says."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.ledger import ledger
from seatrial.observation import Change
from seatrial.trials.starts import AT_FIRST_2XX, AT_READY, LATER, POLLED
from seatrial.verdict import Outcome
from tests.helpers import drains, installs, rate_limits
from tests.helpers.batches import as_rows
from tests.helpers.drains import refused, request
from tests.helpers.installs import install
from tests.helpers.observations import contract, judged, wrong
from tests.helpers.overloads import CONCURRENCY, late, overload
from tests.helpers.rate_limits import rate_limited

PASS, FAIL, INCONCLUSIVE, SKIPPED = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.SKIPPED
RESTARTED = contract(probes=installs.PROBES, restart=["kill", "1"])


def p1(seen, promises=RESTARTED):
    return judged("P1", promises, seen)


def first_cases(count, becomes):
    def change(row):
        return becomes(row) if row["load"] == AT_FIRST_2XX and int(row["case"][1:]) < count else row

    return change


# P1


def test_pods_that_answer_from_their_first_2xx_on_pass():
    found = p1(install())
    assert (found.outcome, found.n) == (PASS, 160)


@pytest.mark.parametrize(
    ("change", "load"),
    [
        (first_cases(5, lambda row: {**refused(row), "error": "timeout"}), AT_FIRST_2XX),
        (first_cases(5, lambda row: wrong(row, "", 503)), AT_FIRST_2XX),
        (first_cases(20, lambda row: wrong(row, "{}")), AT_FIRST_2XX),
        (lambda row: wrong(row, "{}") if row["load"] == AT_READY and row["group"] == 3 else row, AT_READY),
        (lambda row: wrong(row, "{}", 404) if row["case"] == "c7" else row, None),
        (first_cases(1, lambda row: late(row, 2.1)), AT_FIRST_2XX),
    ],
    ids=[
        "ready-on-bind", "ready-first-five-503", "ready-fallback-empty", "ready-after-restart-stale",
        "ready-second-model-late", "later than the deadline",
    ],
)  # fmt: skip
def test_a_case_that_is_not_right_after_ready_fails_and_is_named(change, load):
    seen = install(change=change)
    found = p1(seen)
    assert found.outcome is FAIL
    loads = {row.load for row in seen.ledger if row.row in found.rows}
    assert loads == ({load} if load else {AT_FIRST_2XX, AT_READY})


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 159))
def test_any_single_case_that_is_wrong_fails(number):
    count = iter(range(10**9))
    cases = (AT_FIRST_2XX, AT_READY)
    seen = install(change=lambda row: wrong(row, "") if row["load"] in cases and next(count) == number else row)
    assert (p1(seen).outcome, len(p1(seen).rows)) == (FAIL, 1)


def test_where_no_answer_is_as_expected_the_contract_is_in_doubt_and_the_probe_is_not_blamed():
    cases = (AT_FIRST_2XX, AT_READY)
    found = p1(install(change=lambda row: wrong(row, '{"answer": "four"}') if row["load"] in cases else row))
    assert found.outcome is FAIL
    assert "answered 200 wrongly 0.00 s after it" in found.found
    assert found.found.endswith('; expected {"answer": 0}, found {"answer": "four"}')
    assert found.do.startswith("correct what the contract expects")


def test_where_some_answers_are_right_the_probe_was_early():
    first = first_cases(1, lambda row: wrong(row, '{"answer": null}'))
    assert p1(install(change=first)).do == "let the readiness probe succeed only once inference works"
    broken = first_cases(1, lambda row: wrong(row, "loading", 503))
    assert p1(install(change=broken)).found.endswith("(start-cases)"), "of an error there is nothing to compare"


@pytest.mark.parametrize(("took_s", "expected"), [(1.999, PASS), (2.001, FAIL)])
def test_cases_have_until_the_deadline(took_s, expected):
    assert p1(install(change=first_cases(1, lambda row: late(row, took_s)))).outcome is expected


@pytest.mark.parametrize(
    "seen",
    [
        install(starts=2),
        install(starts=3),
        install(not_ready=0),
        install(change=lambda row: None if row["load"] in (AT_FIRST_2XX, AT_READY) else row),
        install(change=lambda row: None),
        install(change=lambda row: None if row["load"] == POLLED else row),
    ],
    ids=["two starts", "no restart", "ready before it was looked at", "no cases", "nothing", "no polls"],
)
def test_p1_without_its_preconditions_is_inconclusive(seen):
    assert p1(seen).outcome is INCONCLUSIVE


def test_without_a_way_to_restart_three_starts_are_enough():
    assert p1(install(starts=3), contract(probes=installs.PROBES)).outcome is PASS


def test_a_cut_2xx_is_not_ready_yet():
    """The kubelet fails a probe whose body breaks off."""
    cut = install(
        change=lambda row: (
            {**row, "status": 200, "error": "eof"} if row["load"] == POLLED and row["status"] == 503 else row
        )
    )
    assert p1(cut).outcome is PASS


def test_wrong_cases_after_the_kubelets_ready_fail_although_no_poll_saw_a_2xx():
    def never(row):
        if row["load"] == POLLED:
            return {**row, "status": 503}
        return wrong(row, "") if row["load"] == AT_READY else None if row["load"] == AT_FIRST_2XX else row

    assert p1(install(change=never)).outcome is FAIL


@pytest.mark.parametrize(
    "change",
    [
        lambda row: {**row, "status": 204} if row["load"] == POLLED and row["status"] == 200 else row,
        lambda row: refused(row) if row["load"] == POLLED and row["status"] == 503 else row,
        lambda row: {**row, "headers": '{"connection": "close"}'},
    ],
    ids=["ready-204", "ready-at-first-accept", "http10-close"],
)
def test_healthy_but_odd_starts_pass(change):
    assert p1(install(change=change)).outcome is PASS


# what is ready stays so


def later_ones(becomes, *numbers):
    """These later cases of start 1 become something else."""
    cases = [f"c{number}" for number in numbers]
    return lambda row: becomes(row) if (row["load"], row.get("group")) == (LATER, 1) and row["case"] in cases else row


def test_pods_that_go_on_to_answer_pass_and_the_pass_says_for_how_long():
    found = p1(install(later=11))
    assert (found.outcome, found.n) == (PASS, 160)
    assert found.found.endswith("160 cases over 4 starts, all right, and 44 later ones")
    assert found.detects.endswith(
        "; 0.7 s in which a pod that says it is ready answers wrongly or late, up to 10 s after its readiness"
    )
    assert p1(install()).detects.endswith("at 95% confidence"), "records of before have no later ones"


@pytest.mark.parametrize(
    "becomes",
    [lambda row: late(row, 2.1), lambda row: wrong(row, "{}"), lambda row: wrong(row, "", 503), refused],
    ids=["a swapped model is waited for", "empty", "503", "gone"],
)
def test_one_later_case_that_is_wrong_or_late_fails(becomes):
    found = p1(install(later=10, change=later_ones(becomes, 4)))
    assert (found.outcome, len(found.rows)) == (FAIL, 1)
    assert "1 of 50 not, the first" in found.found
    assert "6.00 s after it (later-cases)" in found.found


def unready(at_s):
    """A state of pod-1 in which its Ready condition is False."""
    return Change(at_s, "Pod", "MODIFIED", "pod-1", {**drains.pod("pod-1"), "status": {"conditions": []}})


@pytest.mark.parametrize(
    "how",
    [
        {"polls": 200, "denied": (5.5, 6.5)},
        {"changes": (unready(17.0),)},
    ],
    ids=["its readiness path says so", "its status says so"],
)
def test_a_pod_that_says_it_is_not_ready_meanwhile_need_not_answer(how):
    ready_s = 12.0  # of start 1
    begin_s, end_s = how.get("denied", (0.0, 0.0))

    def change(row):
        if row["load"] == POLLED and row["group"] == 1 and begin_s <= row["sent_s"] - ready_s < end_s:
            return {**row, "status": 503}
        return later_ones(lambda row: wrong(row, "", 503), 4)(row)

    seen = install(later=10, polls=how.get("polls", 40), changes=how.get("changes", ()), change=change)
    assert p1(seen).outcome is PASS
    assert p1(install(later=10, change=change)).outcome is FAIL


def test_what_is_late_or_lost_as_the_machine_stood_still_is_not_held_against_it():
    slow = later_ones(lambda row: late(row, 2.1), 4)
    seen = install(later=10, change=slow)
    held = request("beacon", 18.1, 1.5, target="beacon")
    stalled = replace(seen, ledger=ledger([*as_rows(seen.ledger), held]))
    assert (p1(seen).outcome, p1(stalled).outcome) == (FAIL, PASS)
    elsewhen = request("beacon", 40.0, 1.5, target="beacon")
    assert p1(replace(seen, ledger=ledger([*as_rows(seen.ledger), elsewhen]))).outcome is FAIL


def test_later_cases_do_not_make_a_start_whole():
    few = install(later=30, change=lambda row: None if row["load"] in (AT_FIRST_2XX, AT_READY) else row)
    assert p1(few).outcome is INCONCLUSIVE


# P11


def p11(seen):
    return judged("P11", contract(probes=installs.PROBES), seen)


def on(load, **changed):
    return lambda row: {**row, **changed} if row["load"] == load else row


def warning(type="ADDED"):
    message = "Readiness probe warning: Probe terminated redirects"
    about = {"kind": "Pod", "name": "pod-0"}
    return Change(15.0, "Event", type, "w", {"reason": "ProbeWarning", "message": message, "involvedObject": about})


def test_a_readiness_path_of_its_own_passes():
    found = p11(install())
    assert (found.outcome, found.n) == (PASS, 15)


@pytest.mark.parametrize(
    "how",
    [
        {"change": on("readiness-path", status=302, headers='{"location": "https://login.example"}')},
        {"change": on("readiness-path", status=301, headers='{"location": "/ready/"}')},
        {"change": on("readiness-path", headers='{"location": "/"}')},
        {"change": on("random-path", status=200, body='{"ready": true}')},
        {"changes": (warning(),)},
        {"change": on("readiness-path", status=404)},
        {"change": on("readiness-path", status=200, error="eof")},
    ],
    ids=[
        "ready-redirect-login", "ready-redirect-slash", "a location on a 200", "ready-catch-all",
        "the kubelet warned", "404", "cut",
    ],
)  # fmt: skip
def test_a_readiness_path_that_says_nothing_fails(how):
    found = p11(install(**how))
    assert found.outcome is FAIL
    assert found.rows or found.evidence


def test_one_pod_that_redirects_is_enough():
    def one(row):
        hit = row["load"] == "readiness-path" and row["pod"] == "pod-2"
        return {**row, "status": 302, "headers": '{"location": "/"}'} if hit else row

    assert p11(install(change=one)).outcome is FAIL


@pytest.mark.parametrize(
    "how",
    [
        {"change": on("readiness-path", status=204, body="")},
        {"change": on("readiness-path", body="x" * 20_000)},
        {"change": on("random-path", status=200, body="<html>app</html>")},
        {"change": on("random-path", status=0, error="reset")},
        {"change": on("readiness-path", headers='{"content-type": "text/x-location"}')},
        {"changes": (warning("DELETED"),)},
    ],
    ids=["204", "over 10 KiB", "another page elsewhere", "resets elsewhere", "the word in a value", "an old event"],
)
def test_odd_readiness_answers_pass(how):
    assert p11(install(**how)).outcome is PASS


@pytest.mark.parametrize(
    "seen",
    [
        install(ready=False),
        install(change=lambda row: None if row["load"] == "readiness-path" else row),
        install(change=lambda row: None if row["load"] == "random-path" else row),
        replace(install(), ledger=ledger([])),
    ],
    ids=["no pod ready", "readiness not asked", "no random path asked", "empty"],
)
def test_p11_without_its_preconditions_is_inconclusive(seen):
    assert p11(seen).outcome is INCONCLUSIVE


# readiness that is no HTTP probe

BY_PORT = {"name": "server", "readinessProbe": {"tcpSocket": {"port": 8080}}}


def by_status(seen, *, unready=2, ready=True):
    """The same starts as the pods' status tells them: nothing was polled, and no case was sent before Ready."""
    starts = tuple(
        replace(start, polled=False, unready=unready, ready_s=start.ready_s if ready else None) for start in seen.starts
    )
    kept = seen.ledger.select(
        (seen.ledger.load != seen.ledger.code(POLLED)) & (seen.ledger.load != seen.ledger.code(AT_FIRST_2XX))
    )
    pods = tuple(replace(pod, spec={"containers": [BY_PORT]}) for pod in seen.pods)
    return replace(seen, starts=starts, ledger=kept, pods=pods)


def test_the_status_says_ready_where_there_is_nothing_to_poll():
    found = p1(by_status(install()))
    assert (found.outcome, found.n) == (PASS, 80)


def test_a_port_that_opens_before_inference_works_fails():
    early = install(change=lambda row: wrong(row, "{}", 503) if row["load"] == AT_READY else row)
    found = p1(by_status(early))
    assert found.outcome is FAIL
    assert "Ready condition" in found.expected


@pytest.mark.parametrize("how", [{"unready": 0}, {"ready": False}], ids=["ready at once", "never Ready"])
def test_a_change_from_not_ready_to_ready_has_to_be_seen(how):
    assert p1(by_status(install(), **how)).outcome is INCONCLUSIVE


def test_other_checks_of_http_probes_are_skipped():
    assert judged("P11", RESTARTED, by_status(install())).outcome is SKIPPED
    readiness_only = contract(probes={"readiness": True}, limits={"rate": rate_limits.LIMIT})
    seen = replace(rate_limited(), pods=by_status(install()).pods)
    assert judged("P10", readiness_only, seen, overload()).outcome is SKIPPED


def test_cases_that_a_limit_of_one_refused_are_left_out_and_others_are_not():
    busy = contract(probes=installs.PROBES, restart=["kill", "1"], limits={"concurrency": {**CONCURRENCY, "limit": 1}})
    seen = install(change=lambda row: wrong(row, '{"error": "busy"}', 503) if row["load"] == AT_READY else row)
    found = p1(seen, busy)
    assert (found.outcome, found.n) == (PASS, 80)
    assert p1(seen).outcome is FAIL, "not declared"
    vague = contract(probes=installs.PROBES, limits={"concurrency": {"limit": 1}})
    assert p1(seen, vague).outcome is FAIL, "without a declared body it may as well be its start"
