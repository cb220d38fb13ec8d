"""What a stage of generations showed: distributions of its metrics, rates and goodput. Pure.

Definitions, sources, and how they differ from other tools' are in docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from seatrial.errors import InputError
from seatrial.ledger import Floats
from seatrial.loads.good import good
from seatrial.loads.inference_metrics import (
    Generations,
    Slos,
    generations,
    itl_s,
    longest_gap_s,
    meets,
    normalised_s,
    open_after_end_s,
    tokens_per_s,
    tpot_s,
    ttft_per_input_token_s,
    ttft_s,
)
from seatrial.loads.pieces import Columns
from seatrial.loads.stage_rows import StageRows
from seatrial.stats.observed import Quantile, observed
from seatrial.traffic.order_statistics import count_and_quantiles

QUANTILES = (0.5, 0.9, 0.95, 0.99)
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Distribution:
    """A metric over the good requests that have it, or over the gaps within them."""

    n: int
    independent: bool  # one value a request; of the gaps of a stream, one tells of the next
    quantiles: tuple[Quantile, ...]


@dataclass(frozen=True, slots=True)
class InferenceSummary:
    """What a stage of generations has beside the metrics of any stage; the last two are per second of its duration."""

    ttft_s: Distribution
    ttft_per_input_token_s: Distribution
    itl_s: Distribution
    longest_gap_s: Distribution
    tpot_s: Distribution
    normalised_s: Distribution
    tokens_per_s: Distribution  # of a request
    input_tokens_per_s: float
    output_tokens_per_s: float
    counted: int = 0  # good requests whose output tokens are events that were counted: too few where one brings several
    open_after_end_s: Distribution | None = None  # None: earlier versions did not look


def generates(rows: StageRows) -> bool:
    """Whether any row tells of tokens, or of events that brought some."""
    return any(
        bool(((piece.events > 0) | (piece.input_tokens >= 0) | (piece.output_tokens >= 0)).any())
        for piece in rows.pieces()
    )


def generated(rows: Columns) -> Generations:
    """Some rows, with which of them are good."""
    return generations(rows, good(rows))


def goodput_rps(rows: StageRows, slos: Slos, duration_s: float) -> float:
    """Requests per second that are good and keep every limit."""
    return float(rows.count(lambda piece: meets(generated(piece), slos))) / _positive(duration_s)


def distribution(values: Floats) -> Distribution:
    """The quantiles of the values that are not NaN, one a request in the order of the schedule."""
    known = values[~np.isnan(values)]
    return Distribution(len(known), True, observed(known, QUANTILES, CONFIDENCE) if len(known) else ())


def gap_distribution(parts: Callable[[], Iterable[Floats]]) -> Distribution:
    """The quantiles of the gaps that `parts()` yields and that are not NaN.

    One gap of a stream tells of the next: they are not independent, and get no interval.
    """

    def known() -> Iterator[Floats]:
        return (gaps[~np.isnan(gaps)] for gaps in parts())

    n, values = count_and_quantiles(known, QUANTILES)
    found = zip(QUANTILES, values, strict=False)  # none without a gap
    return Distribution(n, False, tuple(Quantile(round(q * 100, 9), value, None, None, None) for q, value in found))


def summarise(rows: StageRows, duration_s: float) -> InferenceSummary:
    """The metrics of a stage that lasted duration_s; latencies and token rates are those of good requests."""
    is_good = rows.mask(good)

    def of_good(metric: Callable[[Generations], Floats]) -> Distribution:
        return distribution(rows.values(lambda piece: metric(generated(piece)))[is_good])

    def each() -> Iterator[Generations]:
        return (generated(piece) for piece in rows.pieces())

    sums = [_tokens(some) for some in each()]
    return InferenceSummary(
        ttft_s=of_good(ttft_s),
        ttft_per_input_token_s=of_good(ttft_per_input_token_s),
        itl_s=gap_distribution(lambda: (itl_s(some, some.good) for some in each())),
        longest_gap_s=of_good(longest_gap_s),
        tpot_s=of_good(tpot_s),
        normalised_s=of_good(normalised_s),
        tokens_per_s=of_good(tokens_per_s),
        input_tokens_per_s=sum(tokens for tokens, _, _ in sums) / _positive(duration_s),
        output_tokens_per_s=sum(tokens for _, tokens, _ in sums) / _positive(duration_s),
        counted=sum(counted for _, _, counted in sums),
        open_after_end_s=of_good(open_after_end_s),
    )


def _tokens(rows: Generations) -> tuple[float, float, int]:
    """Those of the prompts and of the answers of good requests, NaN if a count is not known; how many were counted."""
    good = rows.good
    return float(rows.input_tokens[good].sum()), float(rows.output_tokens[good].sum()), int(rows.counted[good].sum())


def _positive(duration_s: float) -> float:
    if not duration_s > 0:
        raise InputError(f"duration_s: expected seconds above 0, found {duration_s}; give how long the stage lasted")
    return duration_s
