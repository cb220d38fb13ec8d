"""Objectives as verdicts: they come to the exit status that the load's own report has, and say what was measured."""

from dataclasses import replace

import pytest

from seatrial.ledger import RIGHT, ledger
from seatrial.loads.locust_run import Recorded
from seatrial.loads.scenario import Scenario
from seatrial.observation import GeneratorHealth
from seatrial.record import summarise
from seatrial.suite.objectives import entries, reported
from seatrial.traffic.ledger_writer import write
from seatrial.verdict import Outcome
from tests.helpers.ledgers import chunks


def row(load="base", latency_s=0.1, **changed):
    """A good request."""
    times = {"scheduled_s": 1.0, "sent_s": 1.001, "ended_s": 1.0 + latency_s}
    return {"load": load, **times, "status": 200, "correct": RIGHT, **changed}


def scenario(*names, **slos):
    return Scenario.model_validate({
        "apiVersion": "seatrial/v1", "question": "?", "loadtest": "x", "slos": slos,
        "stages": [{"name": name, "concurrency": 1, "duration_s": 10} for name in names or ("base",)],
    })  # fmt: skip


@pytest.fixture
def recorded(tmp_path):
    """What a run left behind that recorded these rows."""

    def left(rows, **changed):
        health = GeneratorHealth(len(rows), len(rows), 0.001, 0.01, 0.01, 0.0001)
        write(tmp_path / "ledger.chunks", chunks(ledger(rows)), len(rows))
        return replace(Recorded((tmp_path / "ledger.chunks",), health, False, 0.0), **changed)

    return left


def judged(scenario, recorded):
    report = reported(scenario, recorded)
    found = entries(scenario, report)
    assert summarise(found).exit_status == report.exit_status
    return {entry.id: entry for entry in found}, report


BAD = row(status=500)


@pytest.mark.parametrize(
    ("slos", "rows", "outcomes", "status"),
    [
        ({"error_ratio": 0}, [row()] * 9, {"base.error_ratio": "pass"}, 0),
        ({"error_ratio": 0}, [*[row()] * 9, BAD], {"base.error_ratio": "fail"}, 1),
        ({"error_ratio": 0.1}, [row()] * 9, {"base.error_ratio": "inconclusive"}, 2),
        (
            {"error_ratio": 0, "latency_s": {"p50": 0.05}},
            [row()] * 99,
            {"base.latency_s.p50": "fail", "base.error_ratio": "pass"},
            1,
        ),
        ({"ttft_s": {"p50": 1.0}}, [row()] * 99, {"base.ttft_s.p50": "fail"}, 1),
        ({"goodput": {"at_least_ratio": 0.5, "deadline_s": 1}}, [row()] * 99, {"base.goodput": "pass"}, 0),
        ({}, [row()] * 9, {"support": "inconclusive"}, 2),
        ({}, [BAD] * 9, {"support": "inconclusive"}, 2),
        ({"error_ratio": 0.5}, [], {"support": "inconclusive", "base.error_ratio": "inconclusive"}, 2),
    ],
)
def test_each_objective_of_each_stage_is_a_verdict(recorded, slos, rows, outcomes, status):
    found, report = judged(scenario(**slos), recorded(rows))
    assert report.exit_status == status
    assert {id: str(entry.verdict.outcome) for id, entry in found.items() if id != "load"} == outcomes
    assert {entry.level for entry in found.values()} == {"MUST"}


def test_a_verdict_has_the_share_its_interval_its_n_and_the_limit(recorded):
    found, _ = judged(scenario(latency_s={"p90": 0.5}), recorded([*[row()] * 99, row(latency_s=0.6)]))
    entry = found["base.latency_s.p90"]
    (measured,) = entry.verdict.measurements
    assert (entry.title, entry.trials, entry.promise) == ("latency p90 <= 0.5 s", ("base",), "slos.latency_s.p90")
    assert (measured.value, measured.n, measured.limit, measured.confidence) == (0.01, 100, "<= 0.1", 0.95)
    assert 0 < measured.low < 0.01 < measured.high < 0.1


@pytest.mark.parametrize(
    ("late", "do"),
    [(0, "make the stage 3.0 times as long"), (1, "take a limit that is further from what was seen")],
)
def test_what_is_undecided_says_how_long_the_stage_would_have_to_be(recorded, late, do):
    """A higher rate would ask for more than was asked."""
    rows = [row()] * (100 - late) + [row(latency_s=0.6)] * late
    found, _ = judged(scenario(latency_s={"p99": 0.5}), recorded(rows))
    assert found["base.latency_s.p99"].verdict.do.startswith(do)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"stopped": True}, "the run was stopped before its last request was due"),
        ({"lost": ("worker 2 of 2 (process 7) was killed",)}, "worker 2 of 2"),
        ({"health": GeneratorHealth(9, 9, 0.5, 0.9, 0.01, 0.0001)}, "the generator fell behind its schedule"),
        ({"health": GeneratorHealth(10, 9, 0.0, 0.0, 0.0, 0.0)}, "10 requests were due, 9 were sent and 9 recorded"),
    ],
)
def test_of_a_load_that_was_not_sent_as_stated_no_objective_is_judged(recorded, changed, said):
    """Not even one that looks missed: the latencies may be the generator's."""
    slos = {"latency_s": {"p50": 0.05}, "error_ratio": 0}
    found, report = judged(scenario(**slos), recorded([row()] * 9, **changed))
    assert report.outcome == "invalid"
    assert {entry.verdict.outcome for entry in found.values()} == {Outcome.INCONCLUSIVE}
    assert said in found["load"].verdict.found
    assert {entry.verdict.blocked_by for id, entry in found.items() if id != "load"} == {"load"}


def test_stages_keep_their_order_and_their_own_objectives(recorded):
    made = scenario("zeta", "alpha", error_ratio=0)
    own = made.model_copy(update={"stages": [made.stages[0], made.stages[1].model_copy(update={"slos": made.slos})]})
    found, _ = judged(own, recorded([row("zeta"), row("alpha")]))
    assert list(found) == ["load", "zeta.error_ratio", "alpha.error_ratio"]
    assert found["zeta.error_ratio"].promise == "slos.error_ratio"
    assert found["alpha.error_ratio"].promise == "stages.alpha.slos.error_ratio"
