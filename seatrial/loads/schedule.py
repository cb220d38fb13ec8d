"""The loads of a scenario, drawn from its seed, and whether a ledger shows that they were sent so. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seatrial.ledger import Floats, Ints
from seatrial.loads.gaps import ALPHA, GapTest, gap_test, misplaced
from seatrial.loads.scenario import WARM_UP, Demand, Scenario
from seatrial.loads.stage_rows import LoadRows, StageRows
from seatrial.traffic import arrivals
from seatrial.traffic.arrivals import CONSTANT_CV, POISSON_CV, Intensity
from seatrial.traffic.plan import ClosedLoop, Exchange, OpenLoop, Target

# The request for a line of a trace: the sizes of its input and of its output, in the trace's own unit.
Sized = Callable[[int, int], Exchange]


@dataclass(frozen=True, slots=True)
class Window:
    """One demand of the scenario, when it applies on the run's clock, and the seed that it alone spends."""

    name: str
    demand: Demand
    cv: float
    start_s: float
    end_s: float
    seed: int

    @property
    def intensity(self) -> Intensity | None:
        """The rate; None where none was asked for."""
        if self.demand.ramp is not None:
            return Intensity(self.start_s, self.end_s, self.demand.ramp.from_rps, self.demand.ramp.to_rps)
        if self.demand.rate_rps is not None:
            return Intensity.steady(self.demand.rate_rps, self.start_s, self.end_s)
        return None

    @property
    def law(self) -> str:
        """How its arrivals come."""
        if self.demand.trace is not None:
            return "trace"
        return {CONSTANT_CV: "constant", POISSON_CV: "poisson"}.get(self.cv, f"gamma, cv {self.cv:g}")


@dataclass(frozen=True, slots=True)
class ArrivalsKept:
    """Whether one stage was sent as its law says: the requests not due where the seed puts them, and the gaps.

    `gaps` is None for laws whose places say everything (constant, trace), for fewer than 10 gaps, and for one kept
    connection, where a request is sent when its turn comes and not when it is due.
    """

    law: str
    requests: int
    misplaced: int
    gaps: GapTest | None

    @property
    def accepted(self) -> bool:
        """Nothing refutes the law."""
        return not self.misplaced and (self.gaps is None or self.gaps.accepted)


def windows(scenario: Scenario, start_s: float) -> Iterator[Window]:
    """The warm-up, if any, and the stages; they follow one another without a gap from start_s on."""
    named = [(WARM_UP, scenario.warmup)] if scenario.warmup else []
    for number, (name, demand) in enumerate([*named, *((stage.name, stage) for stage in scenario.stages)]):
        end_s = start_s + demand.duration_s
        yield Window(name, demand, scenario.gaps_cv(demand), start_s, end_s, scenario.seed * 1000 + number)
        start_s = end_s


def due(window: Window) -> Floats:
    """When its requests are due, shape (n,), ascending; there is no such time where clients wait for answers.

    One draw in 1000 is so odd that the test of its gaps would refuse it; the next of the same seed is taken then, so
    that no run can fail for it.
    """
    if window.demand.trace is not None:
        recorded_s = window.demand.trace.read().arrivals_s
        return arrivals.replayed(recorded_s, window.demand.trace.speed, window.start_s, window.end_s)
    assert window.intensity is not None
    for attempt in itertools.count():
        due_s = arrivals.drawn(window.intensity, window.cv, window.seed, attempt)
        if window.cv == CONSTANT_CV:
            break
        found = gap_test(due_s, np.zeros(len(due_s)), window.intensity, window.cv)
        if found is None or found.accepted:
            break
    return due_s


def schedule(
    scenario: Scenario, target: Target, exchanges: Sequence[Exchange], start_s: float, sized: Sized | None = None
) -> list[OpenLoop | ClosedLoop]:
    """The scenario's loads, one load a stage, drawn from its seed; the first arrival is due from start_s on.

    Where a trace has the sizes of inputs and outputs, `sized` makes the requests of that stage; without it, the
    exchanges stand for them by their length.
    """
    return [_load(scenario, window, target, tuple(exchanges), sized) for window in windows(scenario, start_s)]


def arrivals_kept(scenario: Scenario, rows: LoadRows, start_s: float) -> dict[str, ArrivalsKept]:
    """For each stage but those of waiting clients, whether its rows show its law; start_s as in `schedule`."""
    return {
        window.name: _kept(scenario, window, rows.of(window.name))
        for window in windows(scenario, start_s)
        if window.name != WARM_UP and window.demand.concurrency is None
    }


def broken(kept: Mapping[str, ArrivalsKept]) -> list[str]:
    """Why requests were not sent as they should have been, stage by stage; empty when they were."""
    reasons = []
    for stage, found in kept.items():
        if found.misplaced:
            reasons.append(
                f"{stage}: {found.misplaced} of {found.requests} requests were not due when the scenario's arrivals "
                f"({found.law}) say; the plan was changed on its way to the generator"
            )
        if found.gaps is not None and not found.gaps.accepted:
            reasons.append(
                f"{stage}: the gaps of the {found.requests} requests sent do not follow {found.law} "
                f"(Kolmogorov-Smirnov D = {found.gaps.statistic:.3f} over {found.gaps.gaps} gaps, "
                f"p = {found.gaps.p_value:.2g}, refused below {ALPHA:g}; "
                f"start lags up to {found.gaps.lag_s * 1e3:.1f} ms allowed for)"
            )
    return reasons


def _load(
    scenario: Scenario, window: Window, target: Target, exchanges: tuple[Exchange, ...], sized: Sized | None
) -> OpenLoop | ClosedLoop:
    if window.demand.concurrency is not None:
        return ClosedLoop(
            window.name,
            target,
            exchanges,
            window.demand.concurrency,
            window.start_s,
            window.end_s,
            window.seed,
            timeout_s=scenario.timeout_s,
            connect_timeout_s=scenario.connect_timeout_s,
            first_byte_timeout_s=scenario.first_byte_timeout_s,
            connection=scenario.connection,
        )
    due_s = due(window)
    sent, picks = _picked(window, len(due_s), exchanges, sized)
    return OpenLoop(
        window.name,
        target,
        sent,
        due_s,
        picks.astype(np.int32),
        timeout_s=scenario.timeout_s,
        connect_timeout_s=scenario.connect_timeout_s,
        first_byte_timeout_s=scenario.first_byte_timeout_s,
        connection=scenario.connection,
    )


def _picked(
    window: Window, count: int, exchanges: tuple[Exchange, ...], sized: Sized | None
) -> tuple[tuple[Exchange, ...], Ints]:
    """What the window sends, and which of it each of its `count` arrivals sends."""
    trace = window.demand.trace.read() if window.demand.trace is not None else None
    if trace is None or trace.input_sizes is None:
        return exchanges, arrivals.picks(count, len(exchanges), window.seed)
    inputs, outputs = trace.input_sizes[:count], trace.output_sizes
    if sized is None or outputs is None:
        offered = np.array([len(exchange.body) for exchange in exchanges], dtype=np.int64)
        return exchanges, arrivals.picks_by_size(inputs, offered, window.seed)
    pairs, picks = np.unique(np.stack([inputs, outputs[:count]], axis=1), axis=0, return_inverse=True)
    return tuple(sized(*pair) for pair in pairs.tolist()), picks.reshape(-1)  # NumPy 2.0.0 gives it two dimensions


def _kept(scenario: Scenario, window: Window, rows: StageRows) -> ArrivalsKept:
    found = misplaced(rows.values(lambda piece: piece.scheduled_s), due(window))
    gaps = None
    if window.intensity is not None and window.cv != CONSTANT_CV and scenario.connection != "keep-alive":
        gaps = _gaps(window, window.intensity, rows)
    return ArrivalsKept(window.law, len(rows), found, gaps)


def _gaps(window: Window, intensity: Intensity, rows: StageRows) -> GapTest | None:
    """The test of the gaps between the moments at which requests were sent."""
    by_sending = rows.in_order_of(lambda piece: piece.sent_s)
    sent = rows.count(lambda piece: ~np.isnan(piece.sent_s))  # the others come last
    sent_s = by_sending.values(lambda piece: piece.sent_s)[:sent]
    lags_s = by_sending.values(lambda piece: piece.sent_s - piece.scheduled_s)[:sent]
    return gap_test(sent_s, lags_s, intensity, window.cv)
