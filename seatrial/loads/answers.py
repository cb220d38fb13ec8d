"""Whether the requests of a stage held its objectives, at 95 % confidence. Pure.

Definitions and their sources are in docs/metrics.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seatrial.ledger import Floats, Ledger
from seatrial.loads.good import good
from seatrial.loads.inference_metrics import Generations, Slos, generations, meets
from seatrial.loads.scenario import GENERATED, Goodput, Objectives, percentile
from seatrial.stats import proportions
from seatrial.verdict import Measurement

CONFIDENCE = 0.95
HELD, MISSED, UNDECIDED = "held", "missed", "undecided"


@dataclass(frozen=True, slots=True)
class Answer:
    """One objective of one stage, and whether it was held at 95 % confidence.

    `key` is where the scenario has it, below `slos`; `share` is the share of requests that went against it, None where
    none was due.
    """

    stage: str
    objective: str
    found: str
    outcome: str
    key: str
    share: Measurement | None


def judged(stage: str, slos: Objectives, rows: Ledger) -> list[Answer]:
    """Each objective of a stage, answered."""
    latency_s = answered_after_s(rows)
    generated = generations(rows, good(rows))
    answers = []
    for name, limit_s in slos.latency_s.items():
        later = int((latency_s > limit_s).sum())
        share = round(1 - percentile(name) / 100, 9)
        text = f"latency {name} <= {limit_s:g} s"
        answers.append(_at_most(stage, f"latency_s.{name}", text, later, len(rows), share, "later"))
    answers += [
        _on_generated(stage, metric, name, limit_s, generated)
        for metric in GENERATED
        for name, limit_s in getattr(slos, metric).items()
    ]
    if slos.error_ratio is not None:
        bad = int(np.isinf(latency_s).sum())
        text = f"error ratio <= {slos.error_ratio:g}"
        answers.append(_at_most(stage, "error_ratio", text, bad, len(rows), slos.error_ratio, "without a right answer"))
    if slos.goodput is not None:
        late = int((~meets(generated, limits(slos.goodput))).sum())
        beside = ", share" if slos.goodput.generated else ""
        text = f"right {slos.goodput.limits}{beside} >= {slos.goodput.at_least_ratio:g}"
        share = round(1 - slos.goodput.at_least_ratio, 9)
        what = "not right within all limits" if slos.goodput.generated else "not right in time"
        answers.append(_at_most(stage, "goodput", text, late, len(rows), share, what))
    return answers


def limits(goodput: Goodput) -> Slos:
    """What a request has to keep to count."""
    return Slos(e2e_s=goodput.deadline_s, **goodput.generated)


def _on_generated(stage: str, metric: str, name: str, limit_s: float, rows: Generations) -> Answer:
    """A percentile of a metric of generated tokens: one value a request, and a request without it counts as later."""
    beyond = int((~meets(rows, Slos(**{metric: limit_s}))).sum())
    without = int((rows.good & ~meets(rows, Slos(**{metric: np.inf}))).sum())
    what = f"beyond it, {without} of them right answers without one" if without else "beyond it"
    share = round(1 - percentile(name) / 100, 9)
    text = f"{GENERATED[metric]} {name} <= {limit_s:g} s"
    return _at_most(stage, f"{metric}.{name}", text, beyond, len(rows), share, what)


def answered_after_s(rows: Ledger) -> Floats:
    """Latency from the schedule, shape (n,); infinite where no right answer ever came."""
    return np.where(good(rows), rows.latency_s, np.inf)


def _at_most(stage: str, key: str, objective: str, events: int, n: int, limit: float, what: str) -> Answer:
    if n == 0:
        return Answer(stage, objective, "no request was due", UNDECIDED, key, None)
    found = f"{events} of {n} {what}"
    low, high = (bound(events, n, CONFIDENCE) for bound in (proportions.lower_bound, proportions.upper_bound))
    allowed = f"<= {limit:g}" if limit else "= 0"
    share = Measurement(f"share {what}", events / n, "", n, low, high, CONFIDENCE, allowed)
    if limit == 0:
        if events:
            return Answer(stage, objective, found, MISSED, key, share)
        return Answer(stage, objective, f"{found}; excludes more than {high:.2%}", HELD, key, share)
    found += f" (a share of {events / n:.2%}, allowed {limit:.2%}, surely {low:.2%} to {high:.2%})"
    if low > limit:
        return Answer(stage, objective, found, MISSED, key, share)
    if high <= limit:
        return Answer(stage, objective, found, HELD, key, share)
    needed = proportions.zero_event_n(limit, CONFIDENCE)
    hint = f"; needs {needed} requests or more" if n < needed else "; measure longer"
    return Answer(stage, objective, found + hint, UNDECIDED, key, share)
