"""What several sandboxes of one trial saw, as one observation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from seatrial.ledger import joined
from seatrial.observation import Timeline
from seatrial.traffic.fleet import weakest


def together(trial: str, parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What several sandboxes saw, as one: moments and dependencies under `SANDBOX-NAME`, for each has its own."""
    senders = [part["generator"] for part in parts if part["generator"].scheduled]
    changes = sorted((change for part in parts for change in part["timeline"].changes), key=lambda change: change.at_s)
    return {
        **parts[0],
        "trial": trial,
        "started_s": min(part["started_s"] for part in parts),
        "ended_s": max(part["ended_s"] for part in parts),
        "ledger": joined(part["ledger"] for part in parts),
        "timeline": Timeline(tuple(changes), tuple(gap for part in parts for gap in part["timeline"].gaps)),
        "scrapes": tuple(scrape for part in parts for scrape in part["scrapes"]),
        "logs": tuple(log for part in parts for log in part["logs"]),
        "pods": tuple(pod for part in parts for pod in part["pods"]),
        "generator": weakest(senders) if senders else parts[0]["generator"],
        "marks": {f"{part['trial']}-{name}": at_s for part in parts for name, at_s in part["marks"].items()},
        "dependencies": tuple(
            replace(dependency, name=f"{part['trial']}-{dependency.name}")
            for part in parts
            for dependency in part["dependencies"]
        ),
    }
