"""Numbers and percentages within their bounds.

Source: k8s.io/kubernetes/pkg/apis/apps/validation, ValidatePositiveIntOrPercent and IsNotMoreThan100Percent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from seatrial.clusters.local.api.problems import Problem, wrong

PERCENT_RULE = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used "
    "for validation is '[0-9]+%')"
)
NOT_NEGATIVE = "must be greater than or equal to 0"


def not_negative(spec: dict[str, Any], fields: Iterable[str], path: str = "spec") -> Iterator[Problem]:
    """Those of the fields that are there must be 0 or more."""
    for field in fields:
        if spec.get(field, 0) < 0:
            yield wrong(f"{path}.{field}", spec[field], NOT_NEGATIVE)


def number_or_percent(value: Any, path: str, *, most_percent: int | None = None) -> Iterator[Problem]:
    """0 or more, or a percentage such as `25%`, of at most `most_percent`."""
    if isinstance(value, int):
        if value < 0:
            yield wrong(path, value, NOT_NEGATIVE)
    elif not re.fullmatch("[0-9]+%", value):
        yield wrong(path, value, PERCENT_RULE)
    elif most_percent is not None and int(value[:-1]) > most_percent:
        yield wrong(path, value, f"must not be greater than {most_percent}%")
