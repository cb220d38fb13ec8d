"""What a run of a scenario showed, as lines of text for a reader."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seatrial.errors import InputError
from seatrial.loads.answers import UNDECIDED
from seatrial.loads.gaps import ALPHA
from seatrial.loads.inference_summary import Distribution, InferenceSummary
from seatrial.loads.locust_run import WorkerPart
from seatrial.loads.scenario import Scenario, read_scenario
from seatrial.loads.schedule import ArrivalsKept
from seatrial.loads.summary import Report, StageSummary
from seatrial.record import RunRecord
from seatrial.record.codec import read_json, structured
from seatrial.record.layout import RESULT, SCENARIO
from seatrial.stats.observed import Quantile

# Of generated tokens: what a line is called, the metric, what its values are multiplied by, and their decimals.
_GENERATED = (
    ("TTFT ms", "ttft_s", 1e3, 1),
    ("TTFT ms/input token", "ttft_per_input_token_s", 1e3, 3),
    ("ITL ms", "itl_s", 1e3, 1),
    ("longest gap ms", "longest_gap_s", 1e3, 1),
    ("TPOT ms", "tpot_s", 1e3, 1),
    ("normalised ms/token", "normalised_s", 1e3, 1),
    ("tokens/s a request", "tokens_per_s", 1.0, 1),
)
_BY_OUTPUT = {"tpot_s", "normalised_s", "tokens_per_s"}
_LONG_OPEN_S = 0.1  # a client would notice


def lines(scenario: Scenario, report: Report, workers: Sequence[WorkerPart] = ()) -> list[str]:
    """The question, who sent how much, each stage, each objective answered, and what follows from that."""
    said = [scenario.question]
    if workers:
        recorded = ", ".join(f"{worker.number}: {worker.recorded} requests" for worker in workers)
        said += ["", f"workers {recorded}"]
    for stage, found in zip(scenario.stages, report.stages, strict=True):
        goodput = scenario.objectives(stage).goodput
        said += ["", *_stage(found, goodput.limits if goodput else "", report.arrivals.get(stage.name))]
    said.append("")
    said += [f"{answer.outcome:9} {answer.stage}: {answer.objective}: {answer.found}" for answer in report.answers]
    said += [f"{UNDECIDED:9} {reason}" for reason in report.unsupported]
    said += [f"INVALID   {reason}" for reason in report.invalid]
    said.append(f"outcome   {report.outcome}")
    return said


def recorded_stages(record: RunRecord) -> list[str]:
    """Each stage as `lines` has it, from the result that a load's record keeps; none where it cannot be read."""
    file = record.folder / RESULT
    try:
        result = read_json(file)
        found = structured(result, Result, str(file))
        scenario = read_scenario(record.folder / SCENARIO)
    except InputError:
        return []  # one that was cut short before it had a result, or is damaged, which is said
    goodputs = {stage.name: scenario.objectives(stage).goodput for stage in scenario.stages}
    texts = []
    for stage in found.stages:
        goodput = goodputs.get(stage.name)
        texts.append("\n".join(_stage(stage, goodput.limits if goodput else "", found.arrivals.get(stage.name))))
    return texts


@dataclass(frozen=True, slots=True)
class Result:
    """What result.json says of the stages."""

    stages: tuple[StageSummary, ...]
    arrivals: Mapping[str, ArrivalsKept]


def _stage(stage: StageSummary, limits: str, arrivals: ArrivalsKept | None) -> list[str]:
    right = f"right {limits}" if limits else "right"
    named = [("latency ms", _latencies(stage.latency_s)), ("service ms", _latencies(stage.service_time_s))]
    if stage.inference is not None:
        named += _inference(stage.inference, stage.good)
    named.append(("errors", ", ".join(f"{kind} {count}" for kind, count in stage.errors.items()) or "none"))
    if arrivals is not None:
        named.append(("arrivals", _arrivals(arrivals)))
    width = max(len(name) for name, _ in named) + 2
    unjudged = f" ({stage.unjudged} of them whole, but held against no expected answer)" if stage.unjudged else ""
    return [
        f"{stage.name}: {stage.scheduled} requests in {stage.duration_s:g} s, {stage.good} good{unjudged}",
        f"  offered {stage.offered_rps:.2f}/s, answered {stage.throughput_rps:.2f}/s, "
        f"{right} {stage.goodput_rps:.2f}/s",
        *(f"  {name:{width}}{said}" for name, said in named),
    ]


def _latencies(found: tuple[Quantile, ...]) -> str:
    return "  ".join([*(_latency(one) for one in found), *_worth(found)]) or "no good answer"


def _worth(found: tuple[Quantile, ...]) -> list[str]:
    """Of requests that hang together, as how many independent ones the intervals are."""
    known = [one.effective_n for one in found if one.effective_n is not None]
    return [f"(intervals as of {min(known):.0f} independent requests or more)"] if known else []


def _latency(found: Quantile) -> str:
    if found.low is None or found.high is None:
        return f"p{found.percentile:g} {found.value * 1e3:.1f} (interval needs n = {found.needed})"
    return f"p{found.percentile:g} {found.value * 1e3:.1f} [{found.low * 1e3:.1f}, {found.high * 1e3:.1f}]"


def _inference(found: InferenceSummary, good: int) -> list[tuple[str, str]]:
    """The lines of generated tokens; a metric that no request has, has none."""
    named = [
        (
            f"{name} *" if found.counted and metric in _BY_OUTPUT else name,
            _distribution(getattr(found, metric), good, factor, decimals),
        )
        for name, metric, factor, decimals in _GENERATED
        if getattr(found, metric).n
    ]
    if (opened := found.open_after_end_s) and any(one.value >= _LONG_OPEN_S for one in opened.quantiles):
        named.append(("open after the end ms", _distribution(opened, good, 1e3, 1)))
    rates = [("in", found.input_tokens_per_s), ("out", found.output_tokens_per_s)]
    known = [f"{way} {'not known' if math.isnan(rate) else f'{rate:.1f}'}" for way, rate in rates]
    if found.counted:
        known.append(
            f"{found.counted} of {good} without usage: their output tokens (*) are events that were counted, "
            "too few where one brings several"
        )
    return [*named, ("tokens/s in all", ", ".join(known))]


def _distribution(found: Distribution, good: int, factor: float, decimals: int) -> str:
    """Quantiles, with their intervals where there are any: the lines of the latency say what the others need."""
    said = []
    for one in found.quantiles:
        text = f"p{one.percentile:g} {one.value * factor:.{decimals}f}"
        if one.low is not None and one.high is not None:
            text += f" [{one.low * factor:.{decimals}f}, {one.high * factor:.{decimals}f}]"
        said.append(text)
    if not found.independent:
        said.append(f"({found.n} gaps, not independent: no intervals)")
    elif found.n != good:
        said.append(f"({found.n} of {good} have it)")
    return "  ".join(said)


def _arrivals(kept: ArrivalsKept) -> str:
    placed = f"{kept.law}: {kept.requests - kept.misplaced} of {kept.requests} due where the schedule says"
    if kept.gaps is None:
        return placed
    return (
        f"{placed}; {kept.gaps.gaps} gaps sent, D {kept.gaps.statistic:.3f}, p {kept.gaps.p_value:.2g} "
        f"({'accepted' if kept.gaps.accepted else 'refused'} at {ALPHA:g})"
    )
