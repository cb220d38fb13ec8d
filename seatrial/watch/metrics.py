"""What a service's own metrics say happened between two scrapes: pure functions over text.

Source: Prometheus exposition format, version 0.0.4; buckets of a histogram are cumulative, bounds included.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from seatrial.observation import Scrape


def totals(text: str, name: str) -> dict[str, float]:
    """Samples of one metric summed over its labels, by sample name; buckets by `name_bucket{le}`.

    Empty for a text that is not an exposition, or does not have the metric.
    """
    found: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in (name, f"{name}_sum", f"{name}_count"):
                    found[sample.name] = found.get(sample.name, 0.0) + sample.value
                elif sample.name == f"{name}_bucket":
                    key = f"{name}_bucket{{{float(sample.labels['le'])}}}"
                    found[key] = found.get(key, 0.0) + sample.value
    except (ValueError, KeyError):
        return {}
    return found


def counted(before: Scrape, after: Scrape, name: str) -> float | None:
    """By how much a counter rose; None when either scrape lacks it, or it fell (the server began anew)."""
    first, last = totals(before.text, name), totals(after.text, name)
    if name not in first or name not in last or last[name] < first[name]:
        return None
    return last[name] - first[name]


@dataclass(frozen=True, slots=True)
class Bucket:
    """`count` observations above `over`, at most `upto`."""

    over: float
    upto: float
    count: int

    @property
    def least(self) -> int:
        """The smallest whole number in it."""
        return math.floor(self.over) + 1


@dataclass(frozen=True, slots=True)
class Sizes:
    """Whole numbers as a histogram shows them: `runs` observations that sum to `items`.

    Buckets hide single sizes, so every answer here is what the buckets and the sum prove, never a guess.
    """

    runs: int
    items: int
    buckets: tuple[Bucket, ...]

    @property
    def mean(self) -> float:
        """Items per run; NaN without runs."""
        return self.items / self.runs if self.runs else math.nan

    def kinds(self) -> int:
        """At least this many sizes differ: one in each bucket that is not empty."""
        return sum(bucket.count > 0 for bucket in self.buckets)

    def at_least(self, size: int) -> int:
        """How many runs had this size or more, for certain."""
        certain = sum(bucket.count for bucket in self.buckets if bucket.over >= size - 1)
        split = next((b for b in self.buckets if b.count and b.over < size - 1 and b.upto >= size), None)
        if split is None:
            return certain
        others = sum(bucket.count * bucket.upto for bucket in self.buckets if bucket.count and bucket != split)
        missing = self.items - others - split.count * (size - 1)
        if missing <= 0:
            return certain
        return certain + max(1, math.ceil(missing / (split.upto - (size - 1))))

    def none_above(self, size: int) -> bool:
        """Every run had at most this size, for certain: a bound of a bucket says so, or the sum does."""
        filled = [bucket for bucket in self.buckets if bucket.count]
        least = sum(bucket.count * bucket.least for bucket in filled)
        return all(
            bucket.over < size and self.items < least - bucket.least + size + 1
            for bucket in filled
            if bucket.upto > size
        )


def bounds_of(scrape: Scrape, name: str) -> tuple[float, ...]:
    """Where the buckets of a histogram end, ascending; empty where the scrape does not have it."""
    return tuple(sorted(_cumulated(totals(scrape.text, name), name)))


def _cumulated(samples: Mapping[str, float], name: str) -> dict[float, float]:
    """The buckets among a metric's samples, by their upper bound."""
    prefix = f"{name}_bucket{{"
    return {float(key.removeprefix(prefix).rstrip("}")): value for key, value in samples.items() if prefix in key}


def sizes(before: Scrape, after: Scrape, name: str) -> Sizes | None:
    """What a histogram of whole numbers saw between two scrapes; None when one lacks it, or it fell."""
    first, last = totals(before.text, name), totals(after.text, name)
    if f"{name}_count" not in last or f"{name}_count" not in first or f"{name}_sum" not in last:
        return None
    rise = {key: value - first.get(key, 0.0) for key, value in last.items()}
    if any(value < 0 for value in rise.values()):
        return None
    buckets, over, below = [], 0.0, 0.0
    for upto, cumulated in sorted(_cumulated(rise, name).items()):
        buckets.append(Bucket(over, upto, round(cumulated - below)))
        over, below = upto, cumulated
    return Sizes(round(rise[f"{name}_count"]), round(rise[f"{name}_sum"]), tuple(buckets))


def around(scrapes: Sequence[Scrape], pod: str, start_s: float, end_s: float) -> tuple[Scrape, Scrape] | None:
    """The last answered scrape of a pod before start_s and the first one after end_s; None without either."""
    answered = [scrape for scrape in scrapes if scrape.pod == pod and scrape.status == 200]
    before = [scrape for scrape in answered if scrape.at_s + scrape.took_s <= start_s]
    after = [scrape for scrape in answered if scrape.at_s >= end_s]
    return (before[-1], after[0]) if before and after else None
