"""Rows of a ledger as Locust's own statistics, many at a time.

Locust's worker processes send their master such entries; merging one costs the same for one request as for a
thousand, where an event for each request would cost more than sending it. Does not import Locust itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seatrial.ledger import Ledger
from seatrial.loads.good import failure, good
from seatrial.traffic.plan import Exchange

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failures:
    """Those of one kind, and when the first and the last of them ended (Unix time)."""

    occurrences: int
    first_seen: float
    last_seen: float


def entries(
    rows: Ledger, exchanges: Sequence[Exchange], wall_s: float, bucket_ms: Callable[[float], int]
) -> tuple[list[Entry], dict[tuple[str, str, str], Failures]]:
    """Locust's fields by load and path, and the failures by (method, name, what went wrong).

    wall_s is the Unix time of the run clock's second 0. Locust keeps milliseconds in its own buckets
    (`bucket_ms`); the exact latencies stay in the ledger.
    """
    named = {exchange.case: exchange for exchange in exchanges}
    is_good = good(rows)
    found: list[Entry] = []
    failed: dict[tuple[str, str, str], Failures] = {}
    keys = list(zip(rows.texts("load"), rows.texts("case"), strict=True))
    labels = [(named[case].method, f"{named[case].path} [{load}]") for load, case in keys]
    for method, name in dict.fromkeys(labels):
        mask = np.asarray([label == (method, name) for label in labels])
        part = rows.select(mask)
        found.append(_entry(method, name, part, is_good[mask], wall_s, bucket_ms))
        ended_s: defaultdict[str, list[float]] = defaultdict(list)
        for row in part.select(~is_good[mask]):
            ended_s[failure(row)].append(row.ended_s + wall_s)
        for kind, times in ended_s.items():
            failed[method, name, kind] = Failures(len(times), min(times), max(times))
    return found, failed


def _entry(
    method: str,
    name: str,
    rows: Ledger,
    is_good: np.ndarray[Any, Any],
    wall_s: float,
    bucket_ms: Callable[[float], int],
) -> Entry:
    latency_ms = rows.latency_s * 1e3
    ended = (rows.ended_s + wall_s).astype(np.int64)
    return {
        "name": name,
        "method": method,
        "last_request_timestamp": float(rows.ended_s.max() + wall_s),
        "start_time": float(rows.scheduled_s.min() + wall_s),
        "num_requests": len(rows),
        "num_none_requests": 0,
        "num_failures": int((~is_good).sum()),
        "total_response_time": float(latency_ms.sum()),
        "max_response_time": float(latency_ms.max()),
        "min_response_time": float(latency_ms.min()),
        "total_content_length": int(rows.received_bytes.sum()),
        "response_times": _counts(bucket_ms(value) for value in latency_ms.tolist()),
        "num_reqs_per_sec": _counts(ended.tolist()),
        "num_fail_per_sec": _counts(ended[~is_good].tolist()),
    }


def _counts(values: Any) -> Mapping[int, int]:
    return dict(Counter(values))
