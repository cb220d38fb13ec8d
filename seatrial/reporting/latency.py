"""Latency distributions by load: quantiles with their intervals, and a curve that shows the tail."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from seatrial.ledger import RIGHT, UNJUDGED, Ledger
from seatrial.reporting.drain_story import part_of
from seatrial.reporting.svg import element, group, picture, text_width
from seatrial.stats.observed import Quantile, observed

Scale = Callable[[float], float]

QUANTILES = (0.5, 0.95, 0.99)
FEWEST = 10
MOST_CURVES = 6
MOST_POINTS = 160
EDGE, LEFT, TOP, BOTTOM = 12.0, 52.0, 12.0, 44.0


@dataclass(frozen=True, slots=True, eq=False)
class LoadLatencies:
    """The latencies of the right answers of one load, ascending, in seconds from the scheduled time."""

    name: str
    latencies_s: NDArray[np.float64]
    left_out: int  # attempts without a right answer, which have no latency to speak of
    quantiles: tuple[Quantile, ...]

    @property
    def n(self) -> int:
        """Right answers."""
        return len(self.latencies_s)


def latencies_of_loads(ledger: Ledger) -> tuple[LoadLatencies, ...]:
    """Every load with enough right answers to draw, the largest first."""
    whole = ledger.error == ledger.code("")
    answered = (ledger.status >= 200) & (ledger.status < 300)
    good = whole & ((ledger.correct == RIGHT) | ((ledger.correct == UNJUDGED) & answered))
    names = [part_of(text) for text in ledger.strings]
    found = []
    for name in {names[code] for code in np.unique(ledger.load).tolist()}:
        mine = np.isin(ledger.load, [code for code, each in enumerate(names) if each == name])
        latencies_s = ledger.latency_s[mine & good]
        latencies_s = latencies_s[np.isfinite(latencies_s)]
        if len(latencies_s) >= FEWEST:
            shown = observed(latencies_s, QUANTILES)
            found.append(LoadLatencies(name, np.sort(latencies_s), int(mine.sum()) - len(latencies_s), shown))
    return tuple(sorted(found, key=lambda load: (-load.n, load.name)))


def latency_svg(shown: Sequence[LoadLatencies], width: float = 1080.0, height: float = 320.0) -> Markup:
    """Share of answers within a latency. Latency is on a logarithmic axis, the share one that stretches the tail."""
    curves = list(shown)[:MOST_CURVES]
    low = math.log10(max(min(load.latencies_s[0] for load in curves), 1e-4))
    high = math.log10(max(max(load.latencies_s[-1] for load in curves), 1e-4))
    low, high = math.floor(low * 5) / 5, max(math.ceil(high * 5) / 5, math.floor(low * 5) / 5 + 0.4)
    most = max(2.0, math.log10(max(load.n for load in curves)))
    plot_width, plot_height = width - LEFT - EDGE, height - TOP - BOTTOM

    def x(latency_s: float) -> float:
        return LEFT + (math.log10(max(latency_s, 1e-4)) - low) / (high - low) * plot_width

    def y(share: float) -> float:
        """Each nine of the share takes the same height: 0, 90, 99, 99.9 %."""
        return TOP + plot_height * (1 - min(-math.log10(max(1 - share, 10**-most)), most) / most)

    parts = [_share_axis(most, y, width), _latency_axis(low, high, x, height)]
    for number, load in enumerate(curves):
        parts.append(element("path", class_=f"curve c{number}", d=_curve(load.latencies_s, x, y)))
        for each in load.quantiles:
            if each.low is not None and each.high is not None:
                at, left, right = y(each.percentile / 100), x(each.low), x(each.high)
                parts.append(element("path", class_=f"whisker c{number}", d=f"M{left:.1f} {at:.1f}H{right:.1f}"))
                parts.append(element("circle", class_=f"dot c{number}", cx=x(each.value), cy=at, r=3.2))
    names = ", ".join(f"{load.name} ({load.n})" for load in curves)
    return picture(width, height, parts, f"Share of right answers within a latency, by load: {names}")


def _curve(latencies_s: NDArray[np.float64], x: Scale, y: Scale) -> str:
    n = len(latencies_s)
    # Dense in the tail, where each observation is a step of its own.
    shares = 1 - np.logspace(0, -math.log10(n), min(n, MOST_POINTS))
    indices = np.unique(np.clip(np.ceil(shares * n).astype(int), 1, n))
    points = [(x(float(latencies_s[i - 1])), y(i / n)) for i in indices.tolist()]
    return "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in points)


def _share_axis(most: float, y: Scale, width: float) -> Markup:
    parts = []
    for share, label in ((0.0, "0"), (0.5, "50"), (0.9, "90"), (0.95, "95"), (0.99, "99"), (0.999, "99.9")):
        if -math.log10(1 - share) <= most + 1e-9:
            at = y(share)
            parts.append(element("line", class_="grid", x1=LEFT, x2=width - EDGE, y1=at, y2=at))
            parts.append(element("text", f"{label} %", class_="tick", x=LEFT - 8, y=at + 4, text_anchor="end"))
    return group(parts)


def _latency_axis(low: float, high: float, x: Scale, height: float) -> Markup:
    parts = []
    free_from = 0.0
    for power in range(math.floor(low), math.ceil(high) + 1):
        for digit in (1, 2, 5):
            latency_s = digit * 10.0**power
            if not low - 1e-9 <= math.log10(latency_s) <= high + 1e-9:
                continue
            at = x(latency_s)
            label = seconds(latency_s)
            parts.append(element("line", class_="grid", x1=at, x2=at, y1=TOP, y2=height - BOTTOM))
            if at - text_width(label) / 2 >= free_from:
                parts.append(element("text", label, class_="tick", x=at, y=height - BOTTOM + 16, text_anchor="middle"))
                free_from = at + text_width(label) / 2 + 6
    caption = "latency from the scheduled time, logarithmic"
    parts.append(element("text", caption, class_="tick", x=LEFT, y=height - 8))
    return group(parts)


def seconds(value_s: float) -> str:
    """A duration as a person writes it."""
    if value_s < 0.001:
        return f"{value_s * 1e6:.3g} µs"
    return f"{value_s * 1000:.3g} ms" if value_s < 1 else f"{value_s:.3g} s"
