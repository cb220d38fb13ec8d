"""The kill matrix: what counts as killed, what is void, and what is planted."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from seatrial.errors import InputError
from seatrial.faults import GOOD, Cell, Row, as_markdown, chosen, run_row, running, verdict_of
from seatrial.observation import Log, Observation
from seatrial.suite.check import Check
from seatrial.traffic.plan import ClosedLoop, Connects, Exchange, Lone, OpenLoop, PodTarget, Poll
from seatrial.trials.ablation import nothing, thinned, without
from seatrial.trials.context import Injection
from seatrial.trials.starts import NO_CASES
from seatrial.trials.trial import Trial
from seatrial.verdict import Outcome, errored, failed, inconclusive, passed, skipped
from tests.helpers.observations import common, contract

PASS, FAIL, UNSURE, ERROR, SKIP = (
    Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.ERROR, Outcome.SKIPPED,
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "results"),
    [
        ("fault", {FAIL: "killed", PASS: "SURVIVED", UNSURE: "SURVIVED", ERROR: "SURVIVED", SKIP: "SURVIVED"}),
        ("chart", {FAIL: "killed", PASS: "SURVIVED", UNSURE: "SURVIVED", ERROR: "SURVIVED", SKIP: "SURVIVED"}),
        ("odd", {PASS: "passed", FAIL: "BROKEN", UNSURE: "BROKEN", ERROR: "BROKEN", SKIP: "BROKEN"}),
        (
            "ablation",
            {UNSURE: "ablated", ERROR: "ablated"} | dict.fromkeys((PASS, FAIL, SKIP), "JUDGED ABLATED"),
        ),
    ],
)
def test_only_the_verdict_that_is_wanted_counts(kind, results):
    assert {outcome: running._result(kind, outcome, True) for outcome in Outcome} == results


@pytest.mark.parametrize("kind", ["fault", "chart", "odd"])
@pytest.mark.parametrize("outcome", Outcome)
def test_what_did_not_fire_is_void_whatever_was_judged(kind, outcome):
    result = running._result(kind, outcome, False)
    assert (result, result in GOOD) == ("not fired", False)


# a row, run


@dataclass(frozen=True, slots=True)
class One(Observation):
    """What the trial sees."""


def check(id, verdict):
    def judge(seen: One):
        return verdict

    return Check(id, "MUST", True, id, "", judge, Path("x.py"))


class TrialContext:
    run_id = "m"
    contract = contract()

    def __init__(self, injection=None):
        self.injection = injection or Injection()

    def injected(self, injection):
        return type(self)(injection)

    def under(self, run_id, contract):
        self.run_id, self.contract = run_id, contract
        return self

    def limited(self, limit):
        return self


@pytest.fixture
def cells(monkeypatch):
    def run(row, verdicts, log="", manifests=({"kind": "Deployment"},)):
        def apply(context):
            if context.injection.patch:
                context.injection.patch(list(manifests))
            return One(**{**common(), "logs": (Log("a", "server", False, ((1.0, log),)),)})

        trial = Trial("one", One, (), (), False, 50, apply)
        monkeypatch.setattr(running, "load_trials", lambda: {One: trial})
        checks = {id: check(id, verdict) for id, verdict in verdicts.items()}
        return run_row(TrialContext(), 7, row, checks)

    return run


FAILED, PASSED = failed("a", "broke", "c", n=1), passed("a", "fine", n=1)
FIRED = '{"event": "fault_fired", "fault": "cuts"}'


def fault(*checks):
    return Row("cuts", "fault", checks, "Cuts what is open.", Injection(), server_fault="cuts")


def test_a_fault_is_killed_by_the_check_named_for_it_once_it_has_fired(cells):
    (cell,) = cells(fault("D1"), {"D1": FAILED, "D5": PASSED}, FIRED)
    assert (cell.result, cell.check, cell.found, cell.collateral) == ("killed", "D1", "broke", ())


@pytest.mark.parametrize("log", ["", '{"event": "fault_armed", "fault": "cuts"}', FIRED.replace("cuts", "cuts-late")])
def test_a_failure_without_the_fault_is_void(cells, log):
    (cell,) = cells(fault("D1"), {"D1": FAILED}, log)
    assert cell.result == "not fired"


def test_failures_of_other_checks_are_recorded_and_do_not_count(cells):
    (cell,) = cells(fault("D1"), {"D1": PASSED, "D4": FAILED, "D5": FAILED}, FIRED)
    assert (cell.result, cell.collateral) == ("SURVIVED", ("D4", "D5"))


def test_each_named_check_has_a_cell(cells):
    found = cells(fault("D1", "D5"), {"D1": FAILED, "D5": inconclusive("a", "b", "c")}, FIRED)
    assert [(cell.check, cell.result) for cell in found] == [("D1", "killed"), ("D5", "SURVIVED")]


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        (lambda manifests: [{"kind": "Deployment", "spec": {}}], "killed"),
        (lambda manifests: manifests, "not fired"),
    ],
)
def test_a_chart_mutant_that_changes_nothing_is_void(cells, patch, result):
    row = Row("chart:x", "chart", ("D1",), "", Injection(patch=patch))
    assert cells(row, {"D1": FAILED})[0].result == result


def test_a_patch_may_not_change_what_it_was_given(cells):
    manifests = ({"kind": "Deployment"},)

    def patch(given):
        given[0]["kind"] = "Changed"
        return given

    row = Row("chart:x", "chart", ("D1",), "", Injection(patch=patch))
    assert cells(row, {"D1": FAILED}, manifests=manifests)[0].result == "killed"
    assert manifests[0]["kind"] == "Deployment"


def test_an_oddity_may_promise_otherwise(cells):
    odd = Row("slow", "odd", ("D1",), "", Injection(), contract={"ready_within_s": 5})
    assert cells(odd, {"D1": PASSED})[0].result == "passed"


def test_a_broken_trial_ablates_but_kills_nothing(cells):
    def breaks(given):
        raise ValueError("no such field")

    for kind, result in (("chart", "not fired"), ("ablation", "ablated")):
        row = Row("x", kind, ("D1",), "", Injection(patch=breaks))
        assert cells(row, {"D1": FAILED})[0].result == result


# what is chosen


def test_rows_are_chosen_by_their_own_id_or_by_a_check():
    checks = {id: check(id, PASSED) for id in ("D1", "D5")}
    both, other = fault("D1", "D5"), Row("slow", "odd", ("P1",), "", Injection())
    assert [(row.id, row.checks) for row in chosen([both, other], [], checks)] == [
        ("cuts", ("D1", "D5")),
        ("slow", ("P1",)),
    ]
    assert [row.checks for row in chosen([both, other], ["D5"], checks)] == [("D5",)]
    assert [row.checks for row in chosen([both, other], ["cuts"], checks)] == [("D1", "D5")]
    with pytest.raises(InputError, match="found D9, nothing"):
        chosen([both, other], ["D9", "nothing", "D1"], checks)


# the table


def cell(result, outcome=FAIL, found="broke", **more):
    return Cell("cuts", more.pop("kind", "fault"), "D1", result, outcome, found, 12.4, more.pop("collateral", ()))


def test_the_status_is_0_only_if_every_cell_is_as_it_must_be():
    assert verdict_of([cell("killed"), cell("passed"), cell("ablated")]) == 0
    for bad in ("SURVIVED", "not fired", "BROKEN", "JUDGED ABLATED"):
        assert verdict_of([cell("killed"), cell(bad)]) == 1
    assert verdict_of([]) == 2


def test_the_table_counts_and_keeps_one_line_for_each_cell():
    table = as_markdown(
        [cell("killed", found="a | b\nc", collateral=("D4",)), cell("SURVIVED", PASS), cell("ablated", kind="ablation")]
    )
    lines = table.splitlines()
    assert lines[0] == "2 of 3 cells as they must be: 2 server faults, 0 chart mutants, 0 odd variants, 1 ablations."
    assert lines[4] == "| `cuts` | D1 | killed | fail | a \\| b c | 12 | D4 |"
    assert len(lines) == 7


# ablations

TARGET, ASK = PodTarget("a", "127.0.0.1", 80), (Exchange("c", "GET", "/"),)


def open_loop(stream, n=10):
    return OpenLoop(stream, TARGET, ASK * 3, [0.1 * i for i in range(n)], [i % 3 for i in range(n)], list(range(n)))


def test_loads_are_left_out_by_name_with_all_that_are_numbered_under_it():
    loads = [open_loop("kept-0"), open_loop("kept"), open_loop("keptsake"), Connects("connect", TARGET, [0.0])]
    assert [load.name for load in without("kept")(loads)] == ["keptsake", "connect"]
    assert nothing(loads) == []


def test_thinning_keeps_arrivals_picks_and_groups_together():
    (thin,) = thinned(0.34, "overload")([open_loop("overload")])
    assert (list(thin.arrivals_s), list(thin.picks), list(thin.groups)) == (
        pytest.approx([0.0, 0.3, 0.6, 0.9]), [0, 0, 0, 0], [0, 3, 6, 9],
    )  # fmt: skip
    assert thinned(0.05, "overload")([open_loop("baseline")]) == [open_loop("baseline")]


def test_thinning_leaves_one_client_and_one_lone_request():
    loop = ClosedLoop("closed", TARGET, ASK, 16, 0.0, 1.0, 1)
    lone = Lone("closed", TARGET, ASK, 0.0, 12, 0.1)
    thin = thinned(0.05, "closed")([loop, lone])
    assert (thin[0].concurrency, thin[1].count) == (1, 1)


def test_readiness_is_polled_without_a_case():
    poll = Poll("start-poll", TARGET, ASK * 2, 0.0, 5.0, 0.05, 1.0, cases_count=20)
    (kept,) = NO_CASES.loads([poll, open_loop("ready-cases")])
    assert (kept.name, kept.cases_count) == ("start-poll", 0)


def test_errored_and_skipped_are_no_kill(cells):
    assert cells(fault("D1"), {"D1": errored("x", "y")}, FIRED)[0].result == "SURVIVED"
    assert cells(fault("D1"), {"D1": skipped("x")}, FIRED)[0].result == "SURVIVED"
