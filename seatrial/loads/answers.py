"""Whether the requests of a stage held its objectives, at 95 % confidence. Pure.

Definitions and their sources are in docs/metrics.md. Near saturation requests hang together: seatrial.stats.dependence
says how many independent ones they are worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seatrial.ledger import Floats, Mask
from seatrial.loads.good import good
from seatrial.loads.inference_metrics import Slos, strain
from seatrial.loads.inference_summary import generated
from seatrial.loads.pieces import Columns
from seatrial.loads.slos import GENERATED, Goodput, Objectives, percentile
from seatrial.loads.stage_rows import StageRows
from seatrial.stats.dependence import CONFIDENCE, Dependence, dependence, requests_to_decide, share_bounds
from seatrial.verdict import Measurement

HELD, MISSED, UNDECIDED = "held", "missed", "undecided"


@dataclass(frozen=True, slots=True)
class Answer:
    """One objective of one stage, and whether it was held at 95 % confidence.

    `key` is where the scenario has it, below `slos`; `share` is the share of requests that went against it, None where
    none was due. `effective_n` is how many independent requests the `requests` are worth; `needed` is how many it takes
    if all stays as it was, None where it is decided, or where no run would.
    """

    stage: str
    objective: str
    found: str
    outcome: str
    key: str
    share: Measurement | None
    requests: int = 0
    effective_n: float = 0.0
    needed: int | None = None


def judged(stage: str, slos: Objectives, rows: StageRows) -> list[Answer]:
    """Each objective of a stage, answered."""
    answers = _on_latency(stage, slos, rows) if slos.latency_s else []
    answers += [
        _on_generated(stage, metric, name, limit_s, rows)
        for metric in GENERATED
        for name, limit_s in getattr(slos, metric).items()
    ]
    if slos.error_ratio is not None:
        bad = ~rows.mask(good)
        text = f"error ratio <= {slos.error_ratio:g}"
        what = "without a right answer"
        answers.append(_at_most(stage, "error_ratio", text, bad.astype(float), bad, slos.error_ratio, what))
    if slos.goodput is not None:
        towards = _strain(rows, limits(slos.goodput))
        beside = ", share" if slos.goodput.generated else ""
        text = f"right {slos.goodput.limits}{beside} >= {slos.goodput.at_least_ratio:g}"
        share = round(1 - slos.goodput.at_least_ratio, 9)
        what = "not right within all limits" if slos.goodput.generated else "not right in time"
        answers.append(_at_most(stage, "goodput", text, towards, towards > 1, share, what))
    return answers


def limits(goodput: Goodput) -> Slos:
    """What a request has to keep to count."""
    return Slos(e2e_s=goodput.deadline_s, **goodput.generated)


def _on_latency(stage: str, slos: Objectives, rows: StageRows) -> list[Answer]:
    """Its percentiles."""
    latency_s = rows.values(answered_after_s)
    answers = []
    for name, limit_s in slos.latency_s.items():
        share = round(1 - percentile(name) / 100, 9)
        text = f"latency {name} <= {limit_s:g} s"
        answers.append(_at_most(stage, f"latency_s.{name}", text, latency_s, latency_s > limit_s, share, "later"))
    return answers


def _on_generated(stage: str, metric: str, name: str, limit_s: float, rows: StageRows) -> Answer:
    """A percentile of a metric of generated tokens: one value a request, and a request without it counts as later."""
    towards = _strain(rows, Slos(**{metric: limit_s}))
    without = int((rows.mask(good) & np.isinf(towards)).sum())
    what = f"beyond it, {without} of them right answers without one" if without else "beyond it"
    share = round(1 - percentile(name) / 100, 9)
    text = f"{GENERATED[metric]} {name} <= {limit_s:g} s"
    return _at_most(stage, f"{metric}.{name}", text, towards, towards > 1, share, what)


def _strain(rows: StageRows, slos: Slos) -> Floats:
    return rows.values(lambda piece: strain(generated(piece), slos))


def answered_after_s(rows: Columns) -> Floats:
    """Latency from the schedule, shape (n,); infinite where no right answer ever came."""
    return np.where(good(rows), rows.ended_s - rows.scheduled_s, np.inf)


def _at_most(stage: str, key: str, objective: str, values: Floats, event: Mask, limit: float, what: str) -> Answer:
    """Whether at most a share of `limit` of the requests goes against it; `values` and `event` as for `dependence`."""
    n = len(values)
    if n == 0:
        return Answer(stage, objective, "no request was due", UNDECIDED, key, None)
    events = int(event.sum())
    worth = dependence(values, event)
    bounds = share_bounds(events, worth)
    allowed = f"<= {limit:g}" if limit else "= 0"
    share = Measurement(f"share {what}", events / n, "", n, bounds.low, bounds.high, CONFIDENCE, allowed)
    outcome = _outcome(events, bounds.low, bounds.high, limit)
    needed = requests_to_decide(events / n, limit, worth) if outcome == UNDECIDED else None
    found = f"{events} of {n} {what}"
    if limit:
        found += (
            f" (a share of {events / n:.2%}, allowed {limit:.2%}, surely {bounds.low:.2%} to {bounds.high:.2%}"
            f"{_as_many(worth)})"
        )
    elif not events:
        found += f"; excludes more than {bounds.high:.2%}"
    if outcome == UNDECIDED:
        found += _needs(needed, worth)
    return Answer(stage, objective, found, outcome, key, share, n, round(worth.effective_n, 1), needed)


def _outcome(events: int, low: float, high: float, limit: float) -> str:
    if limit == 0:
        return MISSED if events else HELD
    if low > limit:
        return MISSED
    return HELD if high <= limit else UNDECIDED


def _as_many(worth: Dependence) -> str:
    """What is said of requests that hang together."""
    return "" if worth.independent else f", as of {worth.effective_n:.0f} independent requests"


def _needs(needed: int | None, worth: Dependence) -> str:
    if needed is None:
        return "; too near what is allowed for any run to tell"
    times = needed / worth.n
    length = f"{times:.1f}" if times < 10 else f"{times:.0f}"
    return f"; needs {needed} requests or more, {length} times this stage, if the share stays"
