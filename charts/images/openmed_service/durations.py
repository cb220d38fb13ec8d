"""Keep-alive times: `90`, `"1h30m"`, `"500ms"`, `0`, or a word for never."""

import math
import re

NEVER = frozenset({"", "off", "none", "never", "forever", "infinite"})
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_keep_alive(value: str | float) -> float:
    """Seconds that an idle model stays loaded; `math.inf` for never unloaded, 0 for unloaded after each request.

    Raises ValueError when the form is unknown or the time is negative.
    """
    text = str(value).strip().lower()
    if text in NEVER:
        return math.inf
    try:
        seconds = float(text)
    except ValueError:
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise ValueError("expected seconds, a duration such as 1h30m, or off") from None
        return math.fsum(float(number) * _UNIT_S[unit] for number, unit in parts)
    if math.isnan(seconds) or seconds < 0:
        raise ValueError("expected 0 or more seconds")
    return seconds
