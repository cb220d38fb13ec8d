"""Spans of time as kubectl shows them.

Source: k8s.io/apimachinery/pkg/util/duration, HumanDuration.
"""

from __future__ import annotations

from datetime import UTC, datetime

_UNKNOWN = "<unknown>"


def since(time: str | None, now: datetime | None = None) -> str:
    """How long ago an RFC 3339 time was, `5m12s`; `<unknown>` without one."""
    if not time:
        return _UNKNOWN
    return human(((now or datetime.now(UTC)) - parse(time)).total_seconds())


def between(start: str | None, end: str | None) -> str:
    """The span between two RFC 3339 times."""
    return human((parse(end) - parse(start)).total_seconds()) if start and end else _UNKNOWN


def parse(time: str) -> datetime:
    """An RFC 3339 time; raises ValueError if it is none."""
    moment = datetime.fromisoformat(time)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def human(span_s: float) -> str:
    """Two units at most, the finer one left out once it no longer matters."""
    if span_s < -1:
        return "<invalid>"
    seconds = max(int(span_s), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 8 * 365:
        return _pair(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _pair(coarse: int, coarse_unit: str, fine: int, fine_unit: str) -> str:
    return f"{coarse}{coarse_unit}{fine}{fine_unit}" if fine else f"{coarse}{coarse_unit}"
