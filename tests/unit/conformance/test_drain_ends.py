"""D5, D7 and D8: an end before the grace, room for the drain, and a signal heard; healthy pods pass these and D4."""

from dataclasses import replace

import pytest

from seatrial.trials.pod_deletion import REQUESTS
from seatrial.verdict import Outcome
from seatrial.watch.pods import prestop_sleep_s
from tests.helpers.drains import DRAIN, NEARLY_S, deletion, one_round_otherwise, request, reset
from tests.helpers.observations import contract, judged, wrong

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
CONTRACT = contract(drain=DRAIN)


def outcome(id, seen, promises=CONTRACT):
    return judged(id, promises, seen).outcome


PRESTOP = {"prestop_s": 4.0, "closed_s": 4.15, "exit_s": 9.5, "exit_seen_s": 9.7, "removed_s": 9.6}
IDLE_PRESTOP = {"prestop_s": 4.0, "exit_s": 4.3, "exit_seen_s": 4.5, "removed_s": 4.4}
HEALTHY = {
    "lingers": {},
    "sleeps 4 s in preStop": {**PRESTOP, "idle": IDLE_PRESTOP},
    "exit 143": {"exit_codes": (143,), "exit_reason": "Error", "idle": {"exit_codes": (143,)}},
    "answers close": {"change": lambda row, round: {**row, "headers": '{"connection": "close"}'}},
    "the watch lags by 0.75 s": {"unready_s": 0.75, "exit_seen_s": 6.3},
}


@pytest.mark.parametrize("id", ["D4", "D5", "D7", "D8"])
@pytest.mark.parametrize("how", HEALTHY.values(), ids=HEALTHY.keys())
def test_healthy_pods_pass_with_a_count(id, how):
    found = judged(id, CONTRACT, deletion(**how))
    assert found.outcome is PASS
    assert found.n >= 3


@pytest.mark.parametrize("id", ["D4", "D5", "D7", "D8"])
def test_nothing_seen_is_never_a_pass(id):
    assert outcome(id, replace(deletion(), rounds=())) is INCONCLUSIVE
    bare = deletion(change=lambda row, round: None)
    assert id == "D8" or outcome(id, bare) is INCONCLUSIVE


# D5


@pytest.mark.parametrize(
    "how",
    [
        {"exit_codes": (137,), "exit_s": 12.5, "exit_seen_s": 12.7},
        {"exit_codes": (137,), "exit_reason": "OOMKilled"},
        {"exit_s": 11.5, "exit_seen_s": 11.8},
        {"exit_codes": (1,), "exit_reason": "Error"},
        {"exit_codes": (0, 137)},
    ],
    ids=["sigterm-ignored", "killed for memory", "exits just before the grace", "exit-code-1-on-drain", "a container"],
)
def test_an_end_by_force_too_late_or_with_an_undeclared_code_fails(how):
    found = judged("D5", CONTRACT, deletion(**how))
    assert found.outcome is FAIL
    assert len(found.evidence) >= 3


@pytest.mark.parametrize(("exit_s", "expected"), [(10.9, PASS), (11.0, FAIL), (11.9, FAIL)])
def test_a_second_of_the_grace_must_be_left(exit_s, expected):
    """finishedAt has whole seconds, rounded down: a pod is never accused for the rounding."""
    assert outcome("D5", deletion(exit_s=exit_s, exit_seen_s=exit_s + 0.2)) is expected


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"exit_s": 14.2}, INCONCLUSIVE),
        ({"exit_s": 14.2, "exit_codes": (1,), "exit_reason": "Error"}, INCONCLUSIVE),
        ({"exit_s": 14.2, "exit_codes": (137,)}, FAIL),
        ({"exit_s": 13.2, "prestop_s": 12.5}, FAIL),
        ({"exit_s": 13.2, "prestop_known": False}, FAIL),
    ],
    ids=["by itself", "with an error", "killed late", "in the two seconds after a hook", "a hook of unknown length"],
)
def test_an_end_by_itself_that_the_kubelet_should_have_forestalled_is_put_down_to_the_node(how, expected):
    assert outcome("D5", deletion(exit_seen_s=14.9, removed_s=14.5, **how)) is expected


def test_a_node_whose_clock_is_ahead_does_not_make_an_exit_late():
    assert outcome("D5", deletion(finished_at="1970-01-01T00:30:00Z")) is PASS


@pytest.mark.parametrize("finished_at", ["", None])
def test_an_end_without_a_time_is_timed_by_its_arrival(finished_at):
    assert outcome("D5", deletion(finished_at=finished_at or "")) is PASS


@pytest.mark.parametrize(
    "how",
    [{"exit_seen_s": None}, {"exit_codes": (137,), "exit_reason": "ContainerStatusUnknown"}],
    ids=["no final state", "a state that the kubelet made up"],
)
def test_a_pod_that_vanishes_is_no_pass_and_no_failure(how):
    assert outcome("D5", deletion(**how)) is INCONCLUSIVE
    assert outcome("D8", deletion(**how)) is INCONCLUSIVE


def test_a_killed_pod_fails_although_another_vanished():
    seen = one_round_otherwise(2, exit_codes=(137,))
    gone = tuple(c for c in seen.timeline.changes if not (c.name == "victim-0" and c.at_s > 20.1))
    seen = replace(seen, timeline=replace(seen.timeline, changes=gone))
    assert outcome("D5", seen) is FAIL
    assert outcome("D8", seen) is FAIL


def test_a_second_container_whose_end_was_not_seen_leaves_d5_open():
    seen = deletion(exit_codes=(0, 0))
    for change in seen.timeline.of("Pod", "victim-1"):
        for status in change.object["status"]["containerStatuses"]:
            if status["name"] == "side-1":
                status["state"] = {"running": {}}
    assert outcome("D5", seen) is INCONCLUSIVE


def test_an_idle_pod_cannot_show_that_a_loaded_one_exits():
    idle = deletion(change=lambda row, round: None if row["load"] in REQUESTS else row)
    assert outcome("D5", idle) is INCONCLUSIVE  # connects are no requests


def test_exit_codes_are_those_of_the_contract():
    only_zero = contract(drain={**DRAIN, "exit_codes": [0]})
    assert outcome("D5", deletion(exit_codes=(143,)), only_zero) is FAIL
    assert outcome("D5", deletion(exit_codes=(143,)), contract()) is PASS


# D7


def near_the_budget(becomes):
    return lambda row, round: becomes(row, round) if row["load"] == "nearly" else row


@pytest.mark.parametrize(
    "how",
    [
        {"grace_s": 5.0},
        {"grace_s": 30.0},
        {"prestop_s": 9.6, "closed_s": 9.8, "exit_s": 11.5, "exit_seen_s": 11.6, "removed_s": 11.5},
        {"change": near_the_budget(lambda row, round: reset(row, round.told_s + 3.0))},
        {"change": near_the_budget(lambda row, round: wrong(row, "{}", 503))},
    ],
    ids=["grace-too-short", "grace-value-ignored", "prestop-eats-grace", "drain-budget-halved", "refused in the drain"],
)
def test_a_grace_that_does_not_hold_hook_and_drain_fails(how):
    assert outcome("D7", deletion(**how)) is FAIL


def test_the_request_that_was_cut_decides():
    seen = deletion(change=near_the_budget(lambda row, round: reset(row, round.told_s + 3.0)))
    shown = judged("D7", CONTRACT, seen).rows
    (row,) = (row for row in seen.ledger if row.row in shown)
    assert (row.load, row.error) == ("nearly", "reset")


def test_a_request_near_the_budget_that_a_stalled_server_read_after_sigterm_was_not_in_flight():
    """What is sent after the signal is refused 0.1 s later; the request near the budget came 0.17 s before it."""

    def stalled(row, round):
        if round.index or row["load"] not in ("short", "nearly") or row["sent_s"] < round.told_s - 0.18:
            return row
        at_s = max(row["sent_s"], round.told_s) + 0.1
        return {**wrong(row, "{}", 503), "first_byte_s": at_s, "ended_s": at_s}

    found = judged("D7", CONTRACT, deletion(change=stalled))
    assert (found.outcome, found.n) == (PASS, 2)


@pytest.mark.parametrize(("grace_s", "expected"), [(6.9, FAIL), (7.0, PASS), (7.1, PASS)])
def test_the_grace_covers_the_budget_and_a_second(grace_s, expected):
    without_value = contract(drain={"budget_s": 6, "propagation_s": 2})
    assert outcome("D7", deletion(grace_s=grace_s), without_value) is expected


def test_a_hook_whose_length_is_not_told_is_measured():
    """3 s of hook, 6 s of drain and the margin fit into 12 s; 6 s of hook do not."""
    for told_s, expected in ((3.0, PASS), (6.0, FAIL)):
        seen = deletion(prestop_known=False, sign_s=told_s, closed_s=9.0, exit_s=11.0, exit_seen_s=11.0)
        later = [
            request("nearly", round.told_s - 0.05, NEARLY_S, target=round.victim, pod=round.victim, group=round.index)
            for round in seen.loaded()
        ]
        rows = {row["group"]: row for row in later}
        seen = deletion(
            prestop_known=False, sign_s=told_s, closed_s=9.0, exit_s=11.0, exit_seen_s=11.0,
            change=lambda row, round, rows=rows: rows[round.index] if row["load"] == "nearly" else row,
        )  # fmt: skip
        assert outcome("D7", seen) is expected


@pytest.mark.parametrize(
    "change",
    [
        lambda row, round: None if row["load"] == "nearly" else row,
        near_the_budget(lambda row, round: {**row, "sent_s": round.told_s - 2.5}),
        near_the_budget(lambda row, round: {**row, "sent_s": round.told_s + 2.0}),
    ],
    ids=["none", "too little of it left", "more than the budget left"],
)
def test_without_a_request_near_the_budget_d7_is_inconclusive(change):
    assert outcome("D7", deletion(change=change)) is INCONCLUSIVE


def test_an_undisturbed_request_that_fails_confirms_no_length():
    seen = deletion()
    undisturbed = seen.ledger.load == seen.ledger.code("undisturbed")
    seen.ledger.correct[undisturbed] = 0
    assert outcome("D7", seen) is INCONCLUSIVE


@pytest.mark.parametrize(
    ("hook", "sleeps_s"),
    [
        (None, 0.0),
        ({"sleep": {"seconds": 4}}, 4.0),
        ({"exec": {"command": ["sleep", "5"]}}, 5.0),
        ({"exec": {"command": ["/bin/sh", "-c", "sleep 7.5 && nginx -s quit"]}}, 7.5),
        ({"exec": {"command": ["/bin/sleep", "3s"]}}, 3.0),
        ({"exec": {"command": ["/usr/local/bin/no-such-sleep", "4"]}}, None),
        ({"exec": {"command": ["/drain.sh"]}}, None),
        ({"httpGet": {"path": "/drain", "port": 80}}, None),
    ],
)
def test_the_length_of_a_hook_is_read_where_it_is_told(hook, sleeps_s):
    lifecycle = {"lifecycle": {"preStop": hook}} if hook else {}
    assert prestop_sleep_s({"containers": [{"name": "server", **lifecycle}]}, "server") == sleeps_s


# D8

DEAF = {"sign_s": None, "closed_s": None, "exit_codes": (137,), "exit_s": 12.5, "exit_seen_s": 12.6, "removed_s": 12.5}


@pytest.mark.parametrize(
    "how",
    [
        DEAF,
        {"idle": {**DEAF, "closed_s": 4.2}},
        {"exit_codes": (137,)},
        {"sign_s": 2.5, "closed_s": None},
    ],
    ids=["shell-pid1", "sigterm-after-first-request", "parent-only-signal", "the sign comes late"],
)
def test_a_signal_that_does_not_reach_the_server_fails(how):
    assert outcome("D8", deletion(**how)) is FAIL


@pytest.mark.parametrize(("sign_s", "expected"), [(1.99, PASS), (2.01, FAIL)])
def test_the_sign_is_due_within_two_seconds(sign_s, expected):
    assert outcome("D8", deletion(sign_s=sign_s, closed_s=None)) is expected


def test_refused_connections_an_unready_pod_and_closing_answers_are_signs_too():
    def closing(row, round):
        return {**row, "headers": '{"connection":"close"}'} if row["sent_s"] > round.deleted_s + 0.2 else row

    silent = {"sign_s": None, "idle": {"sign_s": None, "exit_s": 0.5, "exit_seen_s": 0.8}}
    assert outcome("D8", deletion(**silent, closed_s=None)) is FAIL
    assert outcome("D8", deletion(**silent, closed_s=1.0)) is PASS
    assert outcome("D8", deletion(**silent, closed_s=None, serving_until_s=1.0)) is PASS
    assert outcome("D8", deletion(**silent, closed_s=None, change=closing)) is PASS


def test_where_no_sign_is_declared_an_end_without_a_kill_is_enough():
    quiet = {"sign_s": None, "closed_s": None, "idle": {"sign_s": None, "exit_s": 4.0, "exit_seen_s": 4.2}}
    assert outcome("D8", deletion(**quiet), contract()) is PASS
    assert outcome("D8", deletion(**DEAF), contract()) is FAIL


def test_a_hook_of_unknown_length_delays_the_sign_rightly():
    later = {"prestop_known": False, "sign_s": 5.0, "closed_s": None}
    assert outcome("D8", deletion(**later)) is PASS


def test_an_idle_deletion_is_needed():
    seen = deletion()
    assert outcome("D8", replace(seen, rounds=seen.loaded())) is INCONCLUSIVE


# a machine that is too slow


def slowed(row, round):
    """The longest request is cut when the whole budget is spent."""
    cut = {**wrong(row, "{}", 503), "ended_s": round.told_s + 6.03}
    return cut if row["load"] == "nearly" and round.index == 2 else row


@pytest.mark.parametrize("id", ["D1", "D5", "D7"])
def test_work_that_outlasts_a_budget_given_in_full_is_not_held_against_the_drain(id):
    """Undisturbed it fits; a server that waits for as long as promised has kept its promise."""
    assert outcome(id, deletion(change=slowed, exit_codes=(1,) if id == "D5" else (0,))) is not PASS
    seen = deletion(change=slowed)
    assert outcome(id, seen) is (PASS if id == "D5" else INCONCLUSIVE)


def test_the_exit_code_of_a_drain_cut_short_by_its_budget_is_open_and_any_other_is_not():
    def all_slowed(row, round):
        return slowed(row, replace(round, index=2)) if row["load"] == "nearly" else row

    assert outcome("D5", deletion(change=all_slowed, exit_codes=(1,))) is INCONCLUSIVE
    assert outcome("D5", deletion(change=all_slowed, exit_codes=(137,))) is FAIL
    assert outcome("D5", deletion(change=slowed, exit_codes=(1,))) is FAIL


@pytest.mark.parametrize(("cut_s", "expected"), [(5.85, FAIL), (5.95, INCONCLUSIVE)])
def test_the_budget_counts_from_the_sign(cut_s, expected):
    def cut(row, round):
        return {**wrong(row, "{}", 503), "ended_s": round.told_s + cut_s} if row["load"] == "nearly" else row

    assert outcome("D1", deletion(change=cut)) is expected
    assert outcome("D7", deletion(change=cut)) is expected


def test_short_requests_have_no_such_excuse():
    def cut(row, round):
        hung = row["load"] in ("short", "half-sent") and row["sent_s"] < round.told_s - 0.02 < row["ended_s"]
        return reset(row, round.told_s + 6.0) if hung else row

    assert outcome("D1", deletion(change=cut)) is FAIL


@pytest.mark.parametrize(("goes_on", "expected"), [(False, FAIL), (True, INCONCLUSIVE)])
def test_a_server_that_does_nothing_once_it_is_told_has_no_excuse_for_short_requests(goes_on, expected):
    """All that is in flight is cut when the whole budget is spent; on a slow machine some was answered until then."""

    def cut(row, round):
        if not row["sent_s"] < round.told_s - 0.02 < row["ended_s"]:
            return row
        if goes_on and row["load"] == "long" and row["sent_s"] < round.sigterm_due_s - 3:
            return {**row, "ended_s": round.told_s + 4.0}
        return reset(row, round.told_s + 6.0)

    assert outcome("D1", deletion(change=cut)) is expected


# a service that takes few at once

BUSY = {"limit": 4, "reject": {"status": 429, "body": {"error": "busy"}}}
FEW = contract(drain=DRAIN, limits={"concurrency": BUSY})


def refused_at_once(row, round):
    """The request near the budget met a full replica, before SIGTERM."""
    return {**wrong(row, '{"error": "busy"}', 429), "ended_s": row["sent_s"] + 0.005}


def test_a_declared_refusal_is_no_lost_work_near_the_budget():
    def one(row, round):
        return refused_at_once(row, round) if row["load"] == "nearly" and round.index == 1 else row

    found = judged("D7", FEW, deletion(change=one))
    assert (found.outcome, found.n) == (PASS, 2)
    assert outcome("D7", deletion(change=one), CONTRACT) is FAIL, "no limit is declared"


def test_where_all_were_refused_the_budget_was_not_tested():
    assert outcome("D7", deletion(change=near_the_budget(refused_at_once)), FEW) is INCONCLUSIVE


def test_a_refusal_without_a_declared_body_is_the_limits_before_sigterm_and_the_drains_after_it():
    vague = contract(drain=DRAIN, limits={"concurrency": {"limit": 4, "reject": {"status": 429}}})
    after = near_the_budget(lambda row, round: {**wrong(row, "{}", 429), "ended_s": round.told_s + 0.1})
    before = near_the_budget(lambda row, round: {**wrong(row, "{}", 429), "ended_s": round.sigterm_due_s - 0.01})
    assert outcome("D7", deletion(change=before), vague) is INCONCLUSIVE
    assert outcome("D7", deletion(change=after), vague) is FAIL


def test_a_grace_that_is_too_short_needs_no_request_to_show_it():
    def none(row, round):
        return None if row["load"] == "nearly" else row

    assert outcome("D7", deletion(change=none, grace_s=6.0)) is FAIL
    assert outcome("D7", deletion(change=none)) is INCONCLUSIVE
