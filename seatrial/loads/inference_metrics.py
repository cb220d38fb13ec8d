"""What generating services are measured by: arrays of requests in, latencies per token out. Pure.

Definitions, sources, and how they differ from other tools' are in docs/metrics.md. All times are seconds on one clock.
Every latency counts from the moment a request was due. A metric that a request does not have (no token came, one token
has no gap, the count is not known) is NaN and takes part in no quantile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seatrial.errors import InputError
from seatrial.ledger import Floats, Ints, Mask
from seatrial.loads.pieces import Columns

_COLUMNS = ("sent_s", "first_content_s", "ended_s", "input_tokens", "output_tokens", "good", "counted", "closed_s")


@dataclass(frozen=True, slots=True, eq=False)
class Generations:
    """n requests, in columns of shape (n,); NaN is a time that never came or a count that is not known.

    `event_s` holds the arrival of every event with content, those of request i at event_offsets[i] up to
    event_offsets[i + 1]. `good` is the answer of seatrial.loads.summary.good: whole, 2xx and not wrong.
    """

    scheduled_s: Floats
    sent_s: Floats
    first_content_s: Floats
    ended_s: Floats
    input_tokens: Floats
    output_tokens: Floats
    good: Mask
    counted: Mask  # output tokens are the number of events: nobody reported them
    closed_s: Floats
    event_offsets: Ints  # (n + 1,), from 0 to len(event_s), never falling
    event_s: Floats

    def __post_init__(self) -> None:
        n = len(self.scheduled_s)
        for name in _COLUMNS:
            if (shape := getattr(self, name).shape) != (n,):
                raise InputError(
                    f"{name}: expected one value for each of {n} requests, found shape {shape}; "
                    "give columns of equal length"
                )
        offsets = self.event_offsets
        ends = (0, len(self.event_s))
        if offsets.shape != (n + 1,) or (offsets[0], offsets[-1]) != ends or bool((np.diff(offsets) < 0).any()):
            raise InputError(
                f"event_offsets: expected {n + 1} offsets that rise from 0 to {len(self.event_s)}, "
                f"found shape {offsets.shape}; give where the events of each request begin, and where the last ones end"
            )

    def __len__(self) -> int:
        return len(self.scheduled_s)


@dataclass(frozen=True, slots=True)
class Slos:
    """Limits in seconds that a request has to keep, all of those that are given; None: no limit."""

    ttft_s: float | None = None
    tpot_s: float | None = None
    longest_gap_s: float | None = None
    e2e_s: float | None = None
    normalised_s: float | None = None


def ragged(events_s: Sequence[Floats]) -> tuple[Ints, Floats]:
    """The event_offsets and event_s of requests from the times of each one's events."""
    offsets = np.zeros(len(events_s) + 1, dtype=np.int64)
    np.cumsum([len(one) for one in events_s], out=offsets[1:])
    return offsets, np.concatenate([np.empty(0), *events_s])


def generations(rows: Columns, good: Mask) -> Generations:
    """The rows of a ledger; `good` says of each, shape (n,), whether it is, as seatrial.loads.good decides."""
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(rows.events, out=offsets[1:])
    event_s = rows.event_s
    if len(event_s) != offsets[-1] or not np.array_equal(rows.first_event, offsets[:-1]):
        # The rows are in another order than their events, or not all of those that have some.
        event_s = event_s[np.repeat(rows.first_event - offsets[:-1], rows.events) + np.arange(offsets[-1])]
    first_content_s = np.full(len(rows), np.nan)
    came = rows.events > 0
    first_content_s[came] = event_s[offsets[:-1][came]]
    return Generations(
        scheduled_s=rows.scheduled_s,
        sent_s=rows.sent_s,
        first_content_s=first_content_s,
        ended_s=rows.ended_s,
        input_tokens=_counted(rows.input_tokens),
        output_tokens=_counted(rows.output_tokens),
        good=good,
        counted=rows.counted == 1,
        closed_s=rows.closed_s,
        event_offsets=offsets,
        event_s=event_s,
    )


def e2e_s(rows: Generations) -> Floats:
    """End-to-end latency: from due to the last byte."""
    return rows.ended_s - rows.scheduled_s


def ttft_s(rows: Generations) -> Floats:
    """Time to first token: from due to the first event with content."""
    return rows.first_content_s - rows.scheduled_s


def ttft_from_sent_s(rows: Generations) -> Floats:
    """What tools call TTFT that count from the sending; it leaves out the wait for a turn."""
    return rows.first_content_s - rows.sent_s


def tpot_s(rows: Generations) -> Floats:
    """Time per output token after the first: (e2e - TTFT) / (output tokens - 1); NaN for fewer than two."""
    return _over(e2e_s(rows) - ttft_s(rows), rows.output_tokens - 1)


def normalised_s(rows: Generations) -> Floats:
    """Normalised latency: e2e / output tokens."""
    return _over(e2e_s(rows), rows.output_tokens)


def ttft_per_input_token_s(rows: Generations) -> Floats:
    """TTFT / input tokens: prompts of different lengths compared."""
    return _over(ttft_s(rows), rows.input_tokens)


def tokens_per_s(rows: Generations) -> Floats:
    """Output tokens / e2e of each request."""
    return _over(rows.output_tokens, e2e_s(rows))


def itl_s(rows: Generations, of: Mask) -> Floats:
    """Inter-token latencies: every gap between events with content that follow each other in a request of `of`.

    Events that came in one read have a gap of 0: they came together.
    """
    gaps, owner = _gaps(rows)
    return gaps[of[owner]]


def longest_gap_s(rows: Generations) -> Floats:
    """The longest gap between events with content within each request; NaN where there is none."""
    gaps, owner = _gaps(rows)
    longest = np.full(len(rows), -np.inf)
    np.maximum.at(longest, owner, gaps)  # NaN, an event without a time, wins
    return np.where(np.isneginf(longest), np.nan, longest)


def open_after_end_s(rows: Generations) -> Floats:
    """How long the HTTP answer of a stream went on behind its end; NaN for a request without events."""
    return np.where(np.diff(rows.event_offsets) > 0, rows.closed_s - rows.ended_s, np.nan)


def strain(rows: Generations, slos: Slos) -> Floats:
    """How far requests are towards their limits, shape (n,): the largest value / limit, inf for those without one.

    A limit on what lies between tokens asks nothing where nothing does: of fewer than two tokens, and for the longest
    gap also where all came in one event. Any other metric that a request does not have is beyond its limit, as is
    everything of a request that is not good.
    """
    worst = np.where(rows.good, 0.0, np.inf)
    for limit, value in ((slos.ttft_s, ttft_s), (slos.e2e_s, e2e_s), (slos.normalised_s, normalised_s)):
        if limit is not None:
            worst = np.maximum(worst, _of_limit(value(rows), limit))
    nothing_between = rows.output_tokens < 2
    if slos.tpot_s is not None:
        worst = np.maximum(worst, np.where(nothing_between, 0.0, _of_limit(tpot_s(rows), slos.tpot_s)))
    if slos.longest_gap_s is not None:
        at_once = nothing_between | (np.diff(rows.event_offsets) == 1)
        worst = np.maximum(worst, np.where(at_once, 0.0, _of_limit(longest_gap_s(rows), slos.longest_gap_s)))
    return worst


def meets(rows: Generations, slos: Slos) -> Mask:
    """The good requests that keep every limit, as `strain` has it; shape (n,)."""
    kept: Mask = strain(rows, slos) <= 1
    return kept


def _gaps(rows: Generations) -> tuple[Floats, NDArray[np.intp]]:
    """All gaps within requests, and the request of each."""
    owner = np.repeat(np.arange(len(rows)), np.diff(rows.event_offsets))
    within = owner[1:] == owner[:-1]
    return np.diff(rows.event_s)[within], owner[1:][within]


def _of_limit(values: Floats, limit: float) -> Floats:
    """values / limit, inf for what a request does not have; above 1 just where the value is above the limit."""
    beyond = np.where(np.isnan(values), np.inf, values)
    return beyond / limit if limit > 0 else np.where(beyond <= 0, 0.0, np.inf)


def _counted(tokens: Ints) -> Floats:
    """Counts as numbers; -1 is one that is not known."""
    return np.where(tokens < 0, np.nan, tokens.astype(np.float64))


def _over(value: Floats, by: Floats) -> Floats:
    """value / by, NaN where by is not above 0."""
    quotient: Floats = np.divide(value, by, out=np.full(len(value), np.nan), where=by > 0)
    return quotient
