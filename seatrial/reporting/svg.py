"""Inline SVG, element by element. Colours come from the classes of the page, so pictures follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterable

from markupsafe import Markup, escape

# Of a wide 11 px font such as DejaVu Sans; text in a picture is never measured, only kept from running into others.
CHARACTER_WIDTH = 6.6


def element(name: str, content: str | Markup = "", **attributes: object) -> Markup:
    """One element. `class_` becomes class, other underscores dashes; text and attributes are escaped."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _number(value))
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, escape(content))


def group(parts: Iterable[Markup]) -> Markup:
    """Elements after each other."""
    return Markup("").join(parts)


def picture(width: float, height: float, parts: Iterable[Markup], label: str) -> Markup:
    """The whole image with its text alternative."""
    return element(
        "svg",
        group([element("title", label), *parts]),
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def text_width(text: str) -> float:
    """About how wide a text is, in pixels."""
    return len(text) * CHARACTER_WIDTH


def nice_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 5 x 10^k that divides a span into at most so many steps."""
    if span <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(step * power for step in (1, 2, 5, 10, 20) if span / (step * power) <= most)


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
