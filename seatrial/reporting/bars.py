"""A measurement beside its limit, as a small bar."""

from __future__ import annotations

import math
import re

from markupsafe import Markup

from seatrial.reporting.svg import element, picture
from seatrial.reporting.text import interval, number
from seatrial.verdict import Measurement

WIDTH, HEIGHT = 180.0, 22.0
LIMIT = re.compile(r"\s*(<=|>=|<|>)\s*([0-9.eE+-]+)\s*(\S*)\s*")


def limit_bar(measurement: Measurement) -> Markup:
    """Empty where the limit is not one number in the unit of the value."""
    match = LIMIT.fullmatch(measurement.limit)
    if not match or match[3] != measurement.unit or math.isnan(measurement.value):
        return Markup("")
    upper = match[1].startswith("<")
    try:
        limit = float(match[2])
    except ValueError:
        return Markup("")
    points = [limit, measurement.value, *(v for v in (measurement.low, measurement.high) if v is not None)]
    if min(points) < 0 or max(points) <= 0:
        return Markup("")
    end = max(points) * 1.15

    def x(value: float) -> float:
        return 4 + value / end * (WIDTH - 8)

    middle = HEIGHT / 2
    allowed = (x(0), x(limit)) if upper else (x(limit), x(end))
    low = measurement.low if measurement.low is not None else measurement.value
    high = measurement.high if measurement.high is not None else measurement.value
    parts = [
        element("rect", class_="track", x=4, y=middle - 4, width=WIDTH - 8, height=8),
        element("rect", class_="allowed", x=allowed[0], y=middle - 4, width=allowed[1] - allowed[0], height=8),
        element("line", class_="span", x1=x(low), x2=x(high), y1=middle, y2=middle),
        element("circle", class_="value", cx=x(measurement.value), cy=middle, r=4),
        element("line", class_="limit", x1=x(limit), x2=x(limit), y1=2, y2=HEIGHT - 2),
    ]
    words = f"{number(measurement.value, measurement.unit)}, limit {measurement.limit}"
    if between := interval(measurement):
        words += f", interval {between}"
    return picture(WIDTH, HEIGHT, parts, words)
