"""How fast a HorizontalPodAutoscaler may follow what its metrics ask for.

Pure but for the history that it keeps. Source: kubernetes/pkg/controller/podautoscaler/horizontal.go and
pkg/apis/autoscaling/v2/defaults.go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from seatrial.clusters.local.controllers.objects import Obj

DOWN_WINDOW_S = 300
LONGEST_PERIOD_S = 1800  # of a policy, by validation
UP_DEFAULTS: Obj = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
DOWN_DEFAULTS: Obj = {
    "stabilizationWindowSeconds": DOWN_WINDOW_S,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}
IN_RANGE = ("DesiredWithinRange", "the desired count is within the acceptable range")
TOO_FAST_UP = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
TOO_FAST_DOWN = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
READY = ("ReadyForNewScale", "recommended size matches current size")
UP_STABILIZED = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
DOWN_STABILIZED = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)

Change = tuple[float, int]  # when (seconds since the epoch) and what
Said = tuple[str, str]  # reason and message of a condition


@dataclass(slots=True)
class History:
    """What one autoscaler recommended and did; oldest first."""

    recommendations: list[Change] = field(default_factory=list)
    ups: list[Change] = field(default_factory=list)  # replicas added
    downs: list[Change] = field(default_factory=list)  # replicas taken away

    def note_scaling(self, before: int, after: int, now_s: float) -> None:
        """Remember a change of scale for the policies."""
        if after > before:
            self.ups.append((now_s, after - before))
        elif after < before:
            self.downs.append((now_s, before - after))
        for changes in (self.ups, self.downs):
            changes[:] = [change for change in changes if change[0] > now_s - LONGEST_PERIOD_S]


@dataclass(frozen=True, slots=True)
class Decision:
    """The replicas to have now, and why: `able` is said with AbleToScale, `limited` with ScalingLimited."""

    replicas: int
    able: Said
    limited: Said
    is_limited: bool


def decide(spec: Obj, current: int, wanted: int, history: History, now_s: float) -> Decision:
    """Bring `wanted` within windows, policies and bounds; the recommendation goes into `history`."""
    behavior = spec.get("behavior")
    least, most = int(spec.get("minReplicas", 1)), int(spec["maxReplicas"])
    up = UP_DEFAULTS | ((behavior or {}).get("scaleUp") or {})
    down = DOWN_DEFAULTS | ((behavior or {}).get("scaleDown") or {})
    lowest, highest = _recent_range(wanted, history, up, down, now_s)
    if behavior is None:
        steady, held = highest, DOWN_STABILIZED
        replicas, says = _within_simple_rate(current, steady, least, most)
    else:
        steady, held = min(max(current, lowest), highest), UP_STABILIZED if wanted >= current else DOWN_STABILIZED
        replicas, says = _within_policies(current, steady, least, most, history, up, down, now_s)
    return Decision(replicas, READY if steady == wanted else held, says, replicas != steady)


def _recent_range(wanted: int, history: History, up: Obj, down: Obj, now_s: float) -> tuple[int, int]:
    """The lowest recommendation of the scale-up window and the highest of the scale-down window, `wanted` included.

    A change within the two is one that all recent recommendations agree on.
    """
    up_window_s = int(up["stabilizationWindowSeconds"])
    down_window_s = int(down["stabilizationWindowSeconds"])
    recent = history.recommendations
    lowest = min([wanted, *(said for at_s, said in recent if at_s > now_s - up_window_s)])
    highest = max([wanted, *(said for at_s, said in recent if at_s > now_s - down_window_s)])
    kept_s = max(up_window_s, down_window_s)
    history.recommendations = [*(change for change in recent if change[0] > now_s - kept_s), (now_s, wanted)]
    return lowest, highest


def _within_simple_rate(current: int, wanted: int, least: int, most: int) -> tuple[int, Said]:
    """Without `behavior`: at most doubled (four from one or two) in one step."""
    fastest = max(2 * current, 4)
    ceiling, too_many = (fastest, TOO_FAST_UP) if most > fastest else (most, TOO_MANY)
    if wanted < least:
        return least, TOO_FEW
    if wanted > ceiling:
        return ceiling, too_many
    return wanted, IN_RANGE


def _within_policies(
    current: int, wanted: int, least: int, most: int, history: History, up: Obj, down: Obj, now_s: float
) -> tuple[int, Said]:
    if wanted > current:
        fastest = max(up_limit(current, history, up, now_s), current)
        ceiling, says = (fastest, TOO_FAST_UP) if most > fastest else (most, TOO_MANY)
        return (ceiling, says) if wanted > ceiling else (wanted, IN_RANGE)
    if wanted < current:
        fastest = min(down_limit(current, history, down, now_s), current)
        floor, says = (fastest, TOO_FAST_DOWN) if least < fastest else (least, TOO_FEW)
        return (floor, says) if wanted < floor else (wanted, IN_RANGE)
    return wanted, IN_RANGE


def up_limit(current: int, history: History, rules: Obj, now_s: float) -> int:
    """How many replicas the scale-up policies allow now. Percentages round up, or one pod never becomes two."""
    if rules["selectPolicy"] == "Disabled":
        return current
    limits: list[int] = []
    for policy in rules["policies"]:
        start = _at_period_start(current, history, policy["periodSeconds"], now_s)
        grown = start + policy["value"] if policy["type"] == "Pods" else start * (1 + policy["value"] / 100)
        limits.append(math.ceil(grown))
    return min(limits) if rules["selectPolicy"] == "Min" else max(limits)


def down_limit(current: int, history: History, rules: Obj, now_s: float) -> int:
    """How few replicas the scale-down policies allow now; `Max` means the largest change."""
    if rules["selectPolicy"] == "Disabled":
        return current
    limits: list[int] = []
    for policy in rules["policies"]:
        start = _at_period_start(current, history, policy["periodSeconds"], now_s)
        shrunk = start - policy["value"] if policy["type"] == "Pods" else start * (1 - policy["value"] / 100)
        limits.append(int(shrunk))
    return max(limits) if rules["selectPolicy"] == "Min" else min(limits)


def _at_period_start(current: int, history: History, period_s: float, now_s: float) -> int:
    return current - _changed(history.ups, period_s, now_s) + _changed(history.downs, period_s, now_s)


def _changed(changes: Sequence[Change], period_s: float, now_s: float) -> int:
    return sum(amount for at_s, amount in changes if at_s > now_s - period_s)
