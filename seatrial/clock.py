"""The one clock of a run: monotonic seconds since its start, and how wall-clock times map onto it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RunClock:
    """`origin_s` is the monotonic reading at zero, `wall_origin_s` the Unix time at the same moment."""

    origin_s: float
    wall_origin_s: float

    @staticmethod
    def start() -> RunClock:
        """A clock that reads zero now."""
        return RunClock(time.monotonic(), time.time())

    def now(self) -> float:
        """Seconds since the start of the run."""
        return time.monotonic() - self.origin_s

    def at_wall(self, stamp: str) -> float:
        """The run's time of an RFC 3339 stamp, such as a line of a container's log carries."""
        return parsed_s(stamp, self.wall_origin_s)


STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def parsed_s(stamp: str, wall_origin_s: float) -> float:
    """Seconds from `wall_origin_s` (Unix time) to an RFC 3339 stamp; raises ValueError for another form."""
    # Container runtimes write nanoseconds, where datetime reads six digits, and the node's own zone.
    found = STAMP.fullmatch(stamp)
    if found is None:
        raise ValueError(f"expected a time as in RFC 3339, found {stamp!r}")
    whole, fraction, zone = found.groups()
    whole_s = datetime.fromisoformat(whole + zone.replace("Z", "+00:00")).timestamp()
    return whole_s - wall_origin_s + float(fraction or 0)
