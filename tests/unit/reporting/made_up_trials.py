"""Made-up observations that look like real ones: three pod deletions under load, and a calibration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from made_up_watch import Round, deletion_changes

from seatrial.ledger import ledger
from seatrial.observation import Change, GeneratorHealth, Observation, Pod, Timeline, Workload


@dataclass(frozen=True, slots=True)
class Deletions(Observation):
    rounds: tuple[Round, ...] = ()


def deletion_rows(round: Round, exit_s: float, closes_s: float, cut_s: float) -> Iterator[dict[str, Any]]:
    """Traffic of one round: refused from closes_s on, and cut at cut_s if still open then."""
    rng = np.random.default_rng(round.index)
    zero = round.deleted_s

    def row(load: str, sent_s: float, took_s: float, **more: Any) -> dict[str, Any]:
        base = {
            "load": load,
            "group": round.index,
            "target": round.victim,
            "scheduled_s": sent_s - 0.0004,
            "sent_s": sent_s,
            **more,
        }
        if base["target"] == round.victim and sent_s >= min(closes_s, exit_s):
            return {**base, "ended_s": sent_s + 0.0006, "error": "refused"}
        ended_s = sent_s + took_s
        base |= {"connected_s": sent_s + 0.0005, "body_sent_s": sent_s + 0.001, "pod": round.victim}
        if ended_s > cut_s:
            return {**base, "ended_s": cut_s, "error": "reset"}
        if load == "connect":
            return {**base, "ended_s": ended_s}
        return {
            **base,
            "first_byte_s": ended_s - 0.001,
            "ended_s": ended_s,
            "status": 200,
            "correct": 1,
            "case": "case-3",
        }

    for start in np.arange(8) * 0.5:
        yield row("long", round.sigterm_due_s - 0.2 - start, 4.0)
    for at in np.arange(-0.3, 0.5, 0.02):
        yield row("short", round.sigterm_due_s + at, float(rng.gamma(4, 0.01)))
    for at in (0.2, 0.12):
        yield row("half-sent", round.sigterm_due_s - at, 1.3)
    for connection in range(4):
        for at in np.arange(-2.0, exit_s - zero + 1.0, 0.2):
            yield row(f"kept-{connection}", zero + at + 0.05 * connection, float(rng.gamma(4, 0.01)))
    for at in np.arange(-1.0, exit_s - zero + 1.2, 0.02):
        yield row("connect", zero + at, 0.0004)
    at_s = zero - 5.0
    while at_s < zero + 8.0:
        at_s += float(rng.exponential(0.02))
        to_victim = at_s < zero + 0.3 and rng.random() < 0.5
        if to_victim and at_s >= closes_s:
            yield {
                "load": "service",
                "group": round.index,
                "scheduled_s": at_s,
                "sent_s": at_s,
                "ended_s": at_s + 0.001,
                "error": "refused",
            }
        else:
            pod = round.victim if to_victim else "other"
            took_s = float(rng.gamma(4, 0.01) + (rng.random() < 0.01) * 0.3)
            yield {
                "load": "service",
                "group": round.index,
                "scheduled_s": at_s,
                "sent_s": at_s,
                "connected_s": at_s + 0.0005,
                "first_byte_s": at_s + took_s,
                "ended_s": at_s + took_s,
                "status": 200,
                "correct": 1,
                "pod": pod,
            }


@cache
def deletions(*, healthy: bool) -> Deletions:
    """Three rounds. A healthy pod accepts for 4 s after SIGTERM; the other closes at once and cuts after 1 s."""
    rounds, changes, rows = [], [], []
    for index in range(3):
        zero = 20.0 + 30.0 * index
        told = zero + 0.12
        exit_s = told + (4.3 if healthy else 1.1)
        round = Round(index, f"pii-service-7c9f8d6b5-x{index}k2v", f"10.0.0.{index}", zero, zero, told, exit_s + 0.4)
        rounds.append(round)
        changes += deletion_changes(round, zero - 15.0, exit_s)
        rows += deletion_rows(round, exit_s, told + 4.0 if healthy else told, exit_s if healthy else told + 1.0)
    return Deletions(**seen("pod-deletion", rows, changes, 105.0), rounds=tuple(rounds))


@cache
def calibration() -> Observation:
    """Lone requests, then load: three loads of different size and spread."""
    rng = np.random.default_rng(3)
    rows = []
    for load, n, shape, scale in (("lone", 40, 30, 0.0012), ("steady", 900, 6, 0.008), ("overload", 2500, 3, 0.05)):
        for at_s in np.cumsum(rng.exponential(0.02, n)):
            took_s = float(rng.gamma(shape, scale) + (rng.random() < 0.01) * 0.4)
            refused = load == "overload" and rng.random() < 0.3
            rows.append(
                {
                    "load": load,
                    "scheduled_s": at_s,
                    "sent_s": at_s + 0.001,
                    "ended_s": at_s + (0.004 if refused else took_s),
                    "status": 429 if refused else 200,
                    "correct": 0 if refused else 1,
                }
            )
    return Observation(**seen("calibration", rows, [], 60.0))


def seen(trial: str, rows: list[dict[str, Any]], changes: list[Change], length_s: float) -> dict[str, Any]:
    """The fields that every observation has."""
    return {
        "trial": trial,
        "namespace": "seatrial-made-up",
        "wall_origin_s": 1_767_225_600.0,
        "started_s": 0.0,
        "ended_s": length_s,
        "values": {"replicaCount": 2},
        "ledger": ledger(sorted(rows, key=lambda row: row["sent_s"])),
        "timeline": Timeline(tuple(sorted(changes, key=lambda change: change.at_s))),
        "scrapes": (),
        "logs": (),
        "pods": (Pod("other", "10.0.0.9", "node", "uid", {}),),
        "generator": GeneratorHealth(len(rows), len(rows), 0.0008, 0.004, 0.006, 0.0),
        "subject": Workload("Deployment", "subject"),
    }
