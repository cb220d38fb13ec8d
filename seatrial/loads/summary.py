"""What a run of a scenario showed: a ledger in, rates, quantiles and answers to the objectives out. Pure.

Definitions and their sources are in docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from seatrial.ledger import UNJUDGED, Floats
from seatrial.loads import inference_summary
from seatrial.loads.answers import HELD, MISSED, UNDECIDED, Answer, judged, limits
from seatrial.loads.good import errors_by_kind, good
from seatrial.loads.inference_metrics import Slos
from seatrial.loads.inference_summary import InferenceSummary
from seatrial.loads.scenario import Scenario, Stage
from seatrial.loads.schedule import ArrivalsKept, broken
from seatrial.loads.slos import Objectives
from seatrial.loads.stage_rows import LoadRows, StageRows
from seatrial.observation import GeneratorHealth
from seatrial.stats.dependence import CONFIDENCE
from seatrial.stats.observed import Quantile, observed

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One stage. Rates are per second of its duration; latencies are those of good requests, from the schedule."""

    name: str
    duration_s: float
    scheduled: int
    good: int
    unjudged: int  # of the good: nothing was expected of them but a whole 2xx answer
    offered_rps: float
    throughput_rps: float
    goodput_rps: float
    deadline_s: float | None  # of the goodput, which may have other limits as well; None: however late
    latency_s: tuple[Quantile, ...]
    service_time_s: tuple[Quantile, ...]
    errors: Mapping[str, int]
    inference: InferenceSummary | None  # None: no row tells of tokens


@dataclass(frozen=True, slots=True)
class Report:
    """The whole run.

    `invalid` says why it measured nothing; `unsupported`, why no objective says anything of it or of a stage.
    """

    invalid: tuple[str, ...]
    unsupported: tuple[str, ...]
    stages: tuple[StageSummary, ...]
    answers: tuple[Answer, ...]
    arrivals: Mapping[str, ArrivalsKept]  # by stage; whether it was sent by its law

    @property
    def outcome(self) -> str:
        """`invalid`, `missed`, `undecided` or `held`, the gravest that applies."""
        if self.invalid:
            return "invalid"
        outcomes = {answer.outcome for answer in self.answers}
        if MISSED in outcomes:
            return MISSED
        return UNDECIDED if self.unsupported or UNDECIDED in outcomes else HELD

    @property
    def exit_status(self) -> int:
        """0 all objectives held, 1 one was missed, 2 invalid or undecided: nothing good seen is never 0."""
        return {HELD: 0, MISSED: 1}.get(self.outcome, 2)


def summarise(
    scenario: Scenario,
    rows: LoadRows,
    health: GeneratorHealth,
    stopped: bool,
    arrivals: Mapping[str, ArrivalsKept] = MappingProxyType({}),
    lost: Sequence[str] = (),
    workers: int = 1,
) -> Report:
    """The report of one run; `stopped`: somebody ended it before its last arrival. `arrivals` is by stage.

    `lost` says which of its `workers` ended before their time: what they had not sent is missing.
    """
    parts = [(stage, rows.of(stage.name)) for stage in scenario.stages]
    stages = tuple(_stage(stage, scenario.objectives(stage), its) for stage, its in parts)
    answers = tuple(answer for stage, its in parts for answer in judged(stage.name, scenario.objectives(stage), its))
    return Report(
        invalid=(
            *lost,
            *why_invalid(health, stopped, len(rows), workers),
            *([] if stopped or lost else broken(arrivals)),
        ),
        unsupported=tuple(why_unsupported(stages, answers)),
        stages=stages,
        answers=answers,
        arrivals=dict(arrivals),
    )


def why_unsupported(stages: Sequence[StageSummary], answers: Sequence[Answer]) -> Iterator[str]:
    """Why answers to objectives, or their absence, are no reason to call the run held.

    A stage of whose load nothing good came back is unsupported whatever was asked of it, unless an objective that was
    missed says so already.
    """
    if not answers:
        yield (
            "no objectives: expected `slos` in the scenario or in one of its stages, found none; say what has to hold, "
            "such as `slos: {error_ratio: 0}`"
        )
    missed = {answer.stage for answer in answers if answer.outcome == MISSED}
    for stage in stages:
        if stage.good or stage.name in missed:
            continue
        if not stage.scheduled:
            yield f"{stage.name}: expected requests, found that none was due; make the stage longer, or its rate higher"
            continue
        kinds = ", ".join(f"{kind} {count}" for kind, count in stage.errors.items())
        yield (
            f"{stage.name}: expected good answers, found none among {stage.scheduled} ({kinds}); "
            "see that the host and the Locust file's requests are what the service takes"
        )


def why_invalid(health: GeneratorHealth, stopped: bool, rows: int, workers: int = 1) -> list[str]:
    """Why the generators of so many workers cannot vouch for the run; empty when they can."""
    reasons = [f"the generator's self-test recorded wrongly: {found}" for found in health.self_test]
    if stopped:
        reasons.append("the run was stopped before its last request was due")
    if health.scheduled != health.sent or health.scheduled != rows:
        reasons.append(f"{health.scheduled} requests were due, {health.sent} were sent and {rows} recorded")
    if not health.lag_bound_kept and health.scheduled == health.sent:
        reasons.append(
            f"the generator fell behind its schedule: start lag p99 {health.start_lag_p99_s * 1e3:.1f} ms "
            f"(at most {health.lag_p99_bound_s * 1e3:.0f}), max {health.start_lag_max_s * 1e3:.0f} ms "
            f"(at most {health.lag_max_bound_s * 1e3:.0f}); {_more_room(health, workers)}"
        )
    return reasons


def _more_room(health: GeneratorHealth, workers: int) -> str:
    """What would have carried the schedule: more workers where they had too much to do, else undisturbed ones."""
    cores = health.cpu_s / health.planned_s if health.planned_s else 0.0
    spent = f"the schedule takes {cores:.2f} s of CPU a second"
    if health.processes_needed > workers:
        return (
            f"{spent}, which {health.processes_needed} generators would carry: lower the rate, or give more --workers"
        )
    if workers == 1:
        return f"{spent}, so that one generator can carry it: it was kept from running; free a core for it"
    return f"{spent}, so that {workers} generators can carry it: one was kept from running; free a core for each"


def _stage(stage: Stage, slos: Objectives, rows: StageRows) -> StageSummary:
    is_good = rows.mask(good)
    return StageSummary(
        name=stage.name,
        duration_s=stage.duration_s,
        scheduled=len(rows),
        good=int(is_good.sum()),
        unjudged=int((is_good & rows.mask(lambda piece: piece.correct == UNJUDGED)).sum()),
        offered_rps=len(rows) / stage.duration_s,
        throughput_rps=rows.count(lambda piece: piece.error == piece.code("")) / stage.duration_s,
        goodput_rps=inference_summary.goodput_rps(
            rows, limits(slos.goodput) if slos.goodput else Slos(), stage.duration_s
        ),
        deadline_s=slos.goodput.deadline_s if slos.goodput else None,
        latency_s=_quantiles(rows.values(lambda piece: piece.ended_s - piece.scheduled_s)[is_good]),
        service_time_s=_quantiles(rows.values(lambda piece: piece.ended_s - piece.sent_s)[is_good]),
        errors=dict(sorted(errors_by_kind(rows).items())),
        inference=inference_summary.summarise(rows, stage.duration_s) if inference_summary.generates(rows) else None,
    )


def _quantiles(values_s: Floats) -> tuple[Quantile, ...]:
    return observed(values_s, QUANTILES, CONFIDENCE) if len(values_s) else ()
