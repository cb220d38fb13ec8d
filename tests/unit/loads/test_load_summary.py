"""What a ledger shows, and when an objective is held, missed or undecided."""

import random

import pytest

from seatrial.ledger import RIGHT, UNJUDGED, WRONG, ledger
from seatrial.loads.answers import judged
from seatrial.loads.good import errors_by_kind, good
from seatrial.loads.scenario import Scenario, Stage
from seatrial.loads.schedule import ArrivalsKept
from seatrial.loads.slos import Objectives
from seatrial.loads.summary import summarise, why_invalid
from seatrial.observation import GeneratorHealth
from seatrial.reporting.load import lines
from tests.helpers.ledgers import load_rows, stage_rows

HEALTHY = GeneratorHealth(100, 100, 0.001, 0.01, 0.01, 0.0001)


def rows_of(rows):
    return stage_rows(ledger(rows))


def load_of(rows):
    return load_rows(ledger(rows))


def row(latency_s=0.1, **changed):
    """A good request of the stage `base`; what is changed shows."""
    scheduled_s = changed.pop("scheduled_s", 1.0)
    return {
        "load": "base", "scheduled_s": scheduled_s, "sent_s": scheduled_s + 0.02,
        "ended_s": scheduled_s + latency_s, "status": 200, "correct": RIGHT,
    } | changed  # fmt: skip


def scattered(rows):
    """As independent requests come; rows of one time keep their order, and neighbours that are alike count as fewer."""
    return random.Random(1).sample(rows, len(rows))


def scenario(**slos):
    return Scenario.model_validate({
        "apiVersion": "seatrial/v1", "question": "?", "loadtest": "x",
        "stages": [{"name": "base", "rate_rps": 10, "duration_s": 10}], "slos": slos,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "is_good"),
    [
        ({}, True),
        ({"status": 204}, True),
        ({"correct": UNJUDGED}, True),
        ({"correct": WRONG}, False),
        ({"status": 503, "correct": UNJUDGED}, False),
        ({"status": 302, "correct": UNJUDGED}, False),
        ({"error": "eof"}, False),
        ({"error": "timeout", "status": 0, "correct": WRONG}, False),
    ],
)
def test_a_request_is_good_when_its_answer_is_whole_2xx_and_not_wrong(changed, is_good):
    assert good(ledger([row(**changed)])).tolist() == [is_good]


def test_errors_are_told_apart():
    rows = [row(), row(error="refused"), row(error="refused"), row(status=503, correct=WRONG), row(correct=WRONG)]
    assert errors_by_kind(rows_of(rows)) == {"refused": 2, "status 503": 1, "wrong answer": 1}


def test_wrong_answers_say_why_and_rare_reasons_are_one():
    rows = [row(correct=WRONG, problem="the stream ended without [DONE]")] * 3 + [row(correct=WRONG)]
    assert errors_by_kind(rows_of(rows)) == {"wrong answer: the stream ended without [DONE]": 3, "wrong answer": 1}
    many = [row(correct=WRONG, problem=f"reason {number}") for number in range(40)]
    found = errors_by_kind(rows_of(many + many[:10]))
    assert (len(found), found["wrong answer, for other reasons"], found["wrong answer: reason 3"]) == (11, 30, 2)


@pytest.mark.parametrize("error", ["reset", "eof", "timeout"])
@pytest.mark.parametrize(
    ("reached", "when"),
    [
        ({}, "while connecting"),
        ({"connected_s": 1.0}, "before the first byte"),
        ({"connected_s": 1.0, "first_byte_s": 1.1}, "in mid-answer"),
    ],
)
def test_of_what_may_happen_at_any_time_it_is_told_when_it_did(error, reached, when):
    assert errors_by_kind(rows_of([row(error=error, **reached)])) == {f"{error} {when}": 1}


@pytest.mark.parametrize(
    ("later", "of", "outcome"),
    [
        (0, 58, "undecided"),  # 58 in time exclude a share of 5.03 % later
        (0, 59, "held"),  # 59 exclude 4.95 %
        (1, 92, "undecided"),
        (1, 93, "held"),
        (9, 100, "undecided"),  # surely more than 4.77 %
        (10, 100, "missed"),  # surely more than 5.53 %
    ],
)
def test_a_percentile_is_decided_at_95_percent_confidence(later, of, outcome):
    rows = rows_of(scattered([row(0.6)] * later + [row(0.5)] * (of - later)))
    (answer,) = judged("base", Objectives(latency_s={"p95": 0.5}), rows)
    assert answer.outcome == outcome
    assert f"{later} of {of} later" in answer.found


def test_a_request_without_a_right_answer_counts_as_infinitely_late():
    rows = rows_of([row(0.01, status=503, correct=WRONG)] * 100)
    (answer,) = judged("base", Objectives(latency_s={"p50": 10.0}), rows)
    assert answer.outcome == "missed"


@pytest.mark.parametrize(("bad", "outcome"), [(0, "held"), (1, "missed")])
def test_no_errors_at_all_means_none(bad, outcome):
    (answer,) = judged("base", Objectives(error_ratio=0), rows_of([row()] * 30 + [row(error="reset")] * bad))
    assert answer.outcome == outcome


def test_too_few_requests_are_undecided_and_say_how_many_are_needed():
    (answer,) = judged("base", Objectives(latency_s={"p99": 0.5}), rows_of([row()] * 100))
    assert answer.outcome == "undecided"
    assert "needs 299 requests or more" in answer.found


def test_requests_that_hang_together_are_undecided_where_as_many_independent_ones_were_held():
    """One crowd of ten in three hundred: independent, they would surely be below 7 %."""
    rows = [row(0.6 if n < 10 else 0.1 + n % 2 / 10) for n in range(300)]
    slos = Objectives(latency_s={"p93": 0.5})
    (apart,), (together,) = (judged("base", slos, rows_of(given)) for given in (scattered(rows), rows))
    assert (apart.outcome, apart.effective_n, apart.needed) == ("held", 300, None)
    assert together.outcome == "undecided"
    assert together.requests == 300 > 10 * together.effective_n
    assert f"as of {together.effective_n:.0f} independent requests" in together.found
    assert together.needed > 300
    assert f"needs {together.needed} requests or more" in together.found
    assert "independent" not in apart.found


def test_how_long_a_stage_would_have_to_be_is_told():
    (answer,) = judged("base", Objectives(latency_s={"p99": 0.5}), rows_of([row()] * 100))
    assert answer.found.endswith("; needs 299 requests or more, 3.0 times this stage, if the share stays")
    assert answer.needed == 299


def test_a_share_that_is_just_what_is_allowed_is_decided_by_no_length():
    rows = scattered([row(0.6)] * 10 + [row()] * 90)
    (answer,) = judged("base", Objectives(latency_s={"p90": 0.5}), rows_of(rows))
    assert (answer.outcome, answer.needed) == ("undecided", None)
    assert "too near what is allowed for any run to tell" in answer.found


def test_quantiles_of_requests_that_hang_together_say_how_many_they_are_worth():
    rows = [row(0.1 + n // 40 * 7 % 11 / 100) for n in range(800)]
    report = summarise(scenario(error_ratio=0), load_of(rows), HEALTHY, stopped=False)
    assert 2 <= report.stages[0].latency_s[0].effective_n < 60
    (latency,) = (line for line in lines(scenario(error_ratio=0), report) if line.startswith("  latency ms"))
    assert "independent requests or more)" in latency


def test_nothing_seen_is_never_held():
    slos = Objectives.model_validate(
        {"latency_s": {"p50": 1.0}, "error_ratio": 0, "goodput": {"deadline_s": 1.0, "at_least_ratio": 0.5}}
    )
    assert {answer.outcome for answer in judged("base", slos, rows_of([]))} == {"undecided"}


NOT_FOUND = {"status": 404, "correct": UNJUDGED}


@pytest.mark.parametrize("seen", [{}, NOT_FOUND], ids=["good", "bad"])
def test_a_run_without_objectives_is_never_held(seen):
    report = summarise(scenario(), load_of([row(**seen)] * 100), HEALTHY, stopped=False)
    assert (report.outcome, report.exit_status) == ("undecided", 2)
    assert report.unsupported[0].startswith("no objectives: expected `slos` in the scenario")


@pytest.mark.parametrize(
    "slos",
    [
        {},
        {"error_ratio": 0.999},
        {"latency_s": {"p0.1": 100.0}},
        {"ttft_s": {"p0.1": 100.0}},
        {"goodput": {"deadline_s": 100.0, "at_least_ratio": 0.001}},
    ],
    ids=lambda slos: next(iter(slos), "none"),
)
@pytest.mark.parametrize("seen", [NOT_FOUND, {"correct": WRONG}, {"error": "refused", "status": 0}])
@pytest.mark.parametrize("n", [1, 100, 10_000])
def test_a_stage_of_which_nothing_good_came_back_is_never_held(slos, seen, n):
    """However little is asked."""
    health = GeneratorHealth(n, n, 0.001, 0.01, 0.01, 0.0001)
    report = summarise(scenario(**slos), load_of([row(**seen)] * n), health, stopped=False)
    assert report.outcome != "held"
    assert report.exit_status != 0


def test_what_came_back_instead_of_a_good_answer_is_told():
    rows = [row(**NOT_FOUND)] * 60 + [row(error="refused", status=0)] * 40
    report = summarise(scenario(error_ratio=0.999), load_of(rows), HEALTHY, stopped=False)
    assert [answer.outcome for answer in report.answers] == ["undecided"]
    (said,) = report.unsupported
    assert said.startswith("base: expected good answers, found none among 100 (refused 40, status 404 60); see that")
    assert f"undecided {said}" in lines(scenario(error_ratio=0.999), report)


def test_objectives_of_one_stage_do_not_speak_for_another():
    two = scenario().model_copy(
        update={
            "stages": [
                Stage(name="base", rate_rps=10, duration_s=10, slos=Objectives(error_ratio=0)),
                Stage(name="peak", rate_rps=10, duration_s=10),
            ]
        }
    )
    health = GeneratorHealth(60, 60, 0.001, 0.01, 0.01, 0.0001)

    def judge(*peak):
        return summarise(two, load_of([row()] * (60 - len(peak)) + list(peak)), health, stopped=False)

    assert judge(*[row(load="peak")] * 30).outcome == "held"
    assert judge(*[row(load="peak", **NOT_FOUND)] * 30).unsupported[0].startswith("peak: expected good answers")
    assert judge().unsupported[0].startswith("peak: expected requests, found that none was due")
    assert {judge().exit_status, judge(*[row(load="peak", **NOT_FOUND)] * 30).exit_status} == {2}


def test_a_missed_objective_says_enough_of_a_stage_without_a_good_answer():
    report = summarise(scenario(error_ratio=0.5), load_of([row(**NOT_FOUND)] * 100), HEALTHY, stopped=False)
    assert (report.outcome, report.unsupported) == ("missed", ())


def test_answers_of_which_nothing_was_expected_are_counted_apart():
    rows = [row()] * 60 + [row(correct=UNJUDGED)] * 40
    report = summarise(scenario(error_ratio=0), load_of(rows), HEALTHY, stopped=False)
    assert (report.outcome, report.stages[0].good, report.stages[0].unjudged) == ("held", 100, 40)
    said = "100 good (40 of them whole, but held against no expected answer)"
    assert any(line.endswith(said) for line in lines(scenario(error_ratio=0), report))


def test_rates_and_quantiles_are_of_the_stage():
    rows = [*scattered([row(0.1 + n / 1000) for n in range(100)]), row(load="warm-up", error="reset")]
    rows += [row(5.0), row(status=503, correct=WRONG), row(error="timeout", status=0, correct=WRONG)]
    slos = {"goodput": {"deadline_s": 1.0, "at_least_ratio": 0.5}}
    (stage,) = summarise(scenario(**slos), load_of(rows), HEALTHY, stopped=False).stages
    assert (stage.scheduled, stage.good) == (103, 101)
    assert (stage.offered_rps, stage.throughput_rps, stage.goodput_rps) == (10.3, 10.2, 10.0)
    p50 = stage.latency_s[0]
    assert (p50.percentile, p50.value) == (50, pytest.approx(0.15))
    assert p50.low < p50.value < p50.high
    assert (stage.latency_s[-1].percentile, stage.latency_s[-1].low) == (99.9, None)
    assert stage.service_time_s[0].value == pytest.approx(p50.value - 0.02)
    assert stage.errors == {"status 503": 1, "timeout while connecting": 1}


@pytest.mark.parametrize(
    ("health", "stopped", "rows", "said"),
    [
        (GeneratorHealth(59, 59, 0.0051, 0.01, 0.0, 0.0), False, 59, "fell behind"),
        (GeneratorHealth(59, 59, 0.001, 0.251, 0.0, 0.0), False, 59, "fell behind"),
        (GeneratorHealth(59, 58, 0.001, 0.01, 0.0, 0.0), False, 59, "58 were sent"),
        (GeneratorHealth(60, 60, 0.001, 0.01, 0.0, 0.0), False, 59, "59 recorded"),
        (GeneratorHealth(59, 59, 0.001, 0.01, 0.0, 0.0, ("reset: recorded eof",)), False, 59, "recorded eof"),
        (GeneratorHealth(59, 59, 0.001, 0.01, 0.0, 0.0), True, 59, "stopped"),
    ],
)
def test_a_run_that_the_generator_cannot_vouch_for_is_invalid(health, stopped, rows, said):
    report = summarise(scenario(error_ratio=0), load_of([row(error="reset")] * rows), health, stopped)
    assert said in " ".join(report.invalid)
    assert (report.outcome, report.exit_status) == ("invalid", 2)


@pytest.mark.parametrize(
    ("cpu_s", "told"),
    [
        (60.0, "takes 2.00 s of CPU a second, which 3 generators would carry"),
        (9.0, "takes 0.30 s of CPU a second, so that one generator can carry it"),
    ],
)
def test_a_generator_that_fell_behind_says_how_many_would_not_have(cpu_s, told):
    behind = GeneratorHealth(59, 59, 0.5, 0.9, 0.0, 0.0, cpu_s=cpu_s, planned_s=30.0)
    assert told in why_invalid(behind, False, 59)[0]


@pytest.mark.parametrize(
    ("cpu_s", "told"),
    [
        (60.0, "which 3 generators would carry: lower the rate, or give more --workers"),
        (30.0, "so that 2 generators can carry it: one was kept from running"),
    ],
)
def test_workers_that_fell_behind_say_whether_more_of_them_would_not_have(cpu_s, told):
    behind = GeneratorHealth(59, 59, 0.5, 0.9, 0.0, 0.0, cpu_s=cpu_s, planned_s=30.0)
    assert told in why_invalid(behind, False, 59, workers=2)[0]


def test_a_run_that_lost_a_worker_is_invalid_for_that_and_not_for_the_law_of_what_is_left():
    left = {"base": ArrivalsKept("poisson", 50, 50, None)}
    health = GeneratorHealth(100, 50, 0.0, 0.0, 0.0, 0.0)
    report = summarise(scenario(), load_of([row()] * 50), health, False, left, lost=("worker 2 was killed",), workers=2)
    assert report.invalid == ("worker 2 was killed", "100 requests were due, 50 were sent and 50 recorded")
    assert report.exit_status == 2


@pytest.mark.parametrize(
    ("cpu_s", "planned_s", "needed"), [(0.0, 0.0, 1), (7.4, 10.0, 1), (7.6, 10.0, 2), (15.1, 10.0, 3)]
)
def test_a_generator_keeps_a_quarter_of_its_core_to_spare(cpu_s, planned_s, needed):
    health = GeneratorHealth(1, 1, 0.0, 0.0, 0.0, 0.0, cpu_s=cpu_s, planned_s=planned_s)
    assert health.processes_needed == needed


@pytest.mark.parametrize(("bad", "n", "outcome", "status"), [
    (0, 100, "held", 0), (50, 100, "missed", 1), (1, 10, "undecided", 2),
])  # fmt: skip
def test_the_exit_status_follows_the_gravest_objective(bad, n, outcome, status):
    rows = scattered([row(0.1)] * (n - bad) + [row(0.9)] * bad)
    health = GeneratorHealth(n, n, 0.005, 0.25, 0.0, 0.0)
    report = summarise(scenario(latency_s={"p90": 0.5}, error_ratio=0), load_of(rows), health, stopped=False)
    assert (report.outcome, report.exit_status) == (outcome, status)
