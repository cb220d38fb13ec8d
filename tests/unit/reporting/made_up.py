"""A made-up run that looks like a real one: three pod deletions under load, a calibration, and verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.observation import Change, GeneratorHealth, Pod, Seen, Timeline, ledger
from seatrial.record import RunHeader, RunRecord
from seatrial.verdict import Measurement, Verdict, errored, failed, inconclusive, passed, skipped

NAN = float("nan")
CONTRACT = """\
apiVersion: seatrial/v1
name: pii-service
inference:
  path: /v1/redact
  deadline_s: 2.0
  cases: [a, b]
probes: {readiness: readinessProbe, liveness: livenessProbe}
drain:
  budget_s: {value: drain.budgetSeconds, set: 8}
  propagation_s: 3.0
  sign_log: "received SIGTERM"
limits:
  rate:
    per_second: {value: limits.rps, set: 20}
    burst: {value: limits.burst, set: 10}
"""


@dataclass(frozen=True, slots=True)
class Round:
    index: int
    victim: str
    victim_ip: str
    deleted_s: float
    sigterm_due_s: float
    drain_sign_s: float | None
    gone_s: float | None


@dataclass(frozen=True, slots=True)
class Deletions(Seen):
    rounds: tuple[Round, ...] = ()


def pod_object(name: str, *, ready: bool = True, deleted: bool = False, exit_code: int | None = None) -> dict[str, Any]:
    """A Pod as the watch shows it, as far as reports look."""
    state = {"running": {}} if exit_code is None else {"terminated": {"exitCode": exit_code, "containerID": name}}
    return {
        "metadata": {"name": name, **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {})},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"name": "server", "restartCount": 0, "state": state}],
        },
    }


def slice_object(**conditions: dict[str, bool]) -> dict[str, Any]:
    """An EndpointSlice with the conditions of each pod."""
    return {"endpoints": [{"targetRef": {"name": pod}, "conditions": of} for pod, of in conditions.items()]}


UP = {"ready": True, "serving": True, "terminating": False}
ENDING = {"ready": False, "serving": True, "terminating": True}


def deletion_changes(round: Round, at_s: float, exit_s: float) -> Iterator[Change]:
    """The watch of one deletion: the pod ready from at_s on, its container gone at exit_s."""
    pod, zero = round.victim, round.deleted_s
    yield Change(at_s, "Pod", "ADDED", pod, pod_object(pod))
    yield Change(at_s + 0.1, "EndpointSlice", "MODIFIED", "svc", slice_object(**{pod: UP, "other": UP}))
    yield Change(zero + 0.02, "Pod", "MODIFIED", pod, pod_object(pod, deleted=True))
    yield Change(zero + 0.06, "EndpointSlice", "MODIFIED", "svc", slice_object(**{pod: ENDING, "other": UP}))
    yield Change(exit_s, "Pod", "MODIFIED", pod, pod_object(pod, deleted=True, ready=False, exit_code=0))
    yield Change(exit_s + 0.05, "EndpointSlice", "MODIFIED", "svc", slice_object(other=UP))
    if round.gone_s is not None:
        yield Change(round.gone_s, "Pod", "DELETED", pod, pod_object(pod, deleted=True, ready=False, exit_code=0))


def deletion_rows(round: Round, exit_s: float, closes_s: float, cut_s: float) -> Iterator[dict[str, Any]]:
    """Traffic of one round: refused from closes_s on, and cut at cut_s if still open then."""
    rng = np.random.default_rng(round.index)
    zero = round.deleted_s

    def row(stream: str, sent_s: float, took_s: float, **more: Any) -> dict[str, Any]:
        base = {
            "stream": stream,
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
        if stream == "connect":
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
                "stream": "service",
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
                "stream": "service",
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
def calibration() -> Seen:
    """Lone requests, then load: three streams of different size and spread."""
    rng = np.random.default_rng(3)
    rows = []
    for stream, n, shape, scale in (("lone", 40, 30, 0.0012), ("steady", 900, 6, 0.008), ("overload", 2500, 3, 0.05)):
        for at_s in np.cumsum(rng.exponential(0.02, n)):
            took_s = float(rng.gamma(shape, scale) + (rng.random() < 0.01) * 0.4)
            refused = stream == "overload" and rng.random() < 0.3
            rows.append(
                {
                    "stream": stream,
                    "scheduled_s": at_s,
                    "sent_s": at_s + 0.001,
                    "ended_s": at_s + (0.004 if refused else took_s),
                    "status": 429 if refused else 200,
                    "correct": 0 if refused else 1,
                }
            )
    return Seen(**seen("calibration", rows, [], 60.0))


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
    }


def verdicts(deletion: Deletions) -> Iterator[tuple[str, str, str, str, Verdict, tuple[str, ...]]]:
    """(id, level, source, title, verdict, trials) of checks of every outcome."""
    lost = deletion.ledger.select((deletion.ledger.error != deletion.ledger.code("")) & (deletion.ledger.group == 0))
    cut = lost.of("long", "short", "half-sent").to(deletion.rounds[0].victim)
    on = ("pod-deletion",)
    healthy = len(cut) == 0

    def p95(value: float, low: float, high: float) -> Measurement:
        return Measurement("latency p95", value, "s", 900, low, high, 0.95, "<= 0.25 s")

    yield (
        "P1",
        "MUST",
        "probes/ready_implies_inference.py",
        "A Ready pod answers a case rightly.",
        passed(
            "right answers from the first Ready on",
            "80 of 80 cases right over 5 pod starts",
            n=80,
            detects="a wrong answer in 3.7 % of starts",
        ),
        on,
    )
    yield (
        "P6",
        "SHOULD",
        "probes/p99_under_half_timeout.py",
        "Probes stay fast while the service is saturated.",
        failed(
            "fewer than 1 % of probes slower than half their timeout",
            "31 of 600 were",
            "answer probes outside the inference workers",
            n=600,
            measurements=[Measurement("slow probes", 31 / 600, "", 600, 0.0365, 0.0724, 0.95, "<= 0.01")],
        ),
        ("calibration",),
    )
    if healthy:
        yield (
            "D1",
            "MUST",
            "drain/in_flight_finishes.py",
            "A pod that is told to stop finishes the requests it has accepted.",
            passed(
                "20 or more requests open at SIGTERM, all answered right and whole",
                "34 of 34, the longest took 4.00 s",
                n=34,
                measurements=[Measurement("longest request", 4.0, "s", 34, limit="<= 8 s")],
                detects="a loss of 8.4 % of the requests in flight, at 95 % confidence",
            ),
            on,
        )
    else:
        yield (
            "D1",
            "MUST",
            "drain/in_flight_finishes.py",
            "A pod that is told to stop finishes the requests it has accepted.",
            failed(
                "34 right and whole answers",
                f"{len(cut)} lost or wrong, the first (long) reset after 1.20 s",
                "on SIGTERM keep what was accepted, finish it within the drain budget, then exit",
                n=34,
                rows=cut,
                measurements=[Measurement("requests lost", float(len(cut)), "", 34, limit="= 0")],
                evidence=["round 0: SIGTERM in the log at 20.120 s", "round 0: container exited with 0 at 21.220 s"],
            ),
            on,
        )
    yield (
        "D4",
        "MUST",
        "drain/unready_before_socket_closes.py",
        "A deleted pod leaves the Service's endpoints before its socket closes.",
        (
            passed(
                "the endpoint first",
                "3 rounds, the socket closed first 4.13 s after the deletion",
                n=3,
                measurements=[Measurement("socket open after deletion, least", 4.13, "s", 3, limit=">= 3 s")],
            )
            if healthy
            else failed(
                "the endpoint not ready first, and connections accepted until 3 s after the deletion",
                "round 0: endpoint not ready 0.06 s, socket closed 0.14 s after the deletion",
                "keep accepting after SIGTERM, or sleep in preStop, until every proxy has dropped the endpoint",
                n=3,
                measurements=[Measurement("socket open after deletion, least", 0.14, "s", 3, limit=">= 3 s")],
            )
        ),
        on,
    )
    yield (
        "D3",
        "MUST",
        "drain/pod_deletion_zero_loss.py",
        "Deleting a pod loses no request sent through the Service.",
        inconclusive(
            "5 or more new connections to the victim after its deletion", "2", "raise the rate", n=1463, blocked_by="D4"
        ),
        on,
    )
    yield (
        "L1",
        "MUST",
        "limits/overload_rejected_fast.py",
        "Overload is refused at once and in the declared form.",
        passed(
            "at most 5 % of refusals slower than 250 ms",
            "4 of 744",
            n=744,
            measurements=[
                Measurement("slow refusals", 4 / 744, "", 744, 0.0021, 0.0137, 0.95, "<= 0.05"),
                p95(0.104, 0.098, 0.112),
            ],
        ),
        ("calibration",),
    )
    yield (
        "O1",
        "MUST",
        "observability/metrics_well_formed.py",
        "Metrics parse and never count backwards.",
        errored("the watch was interrupted: 410 Gone at 41.2 s", "run again"),
        (),
    )
    yield (
        "B1",
        "MUST",
        "batching/response_belongs_to_request.py",
        "Every answer belongs to its request.",
        skipped("the contract does not promise batching"),
        (),
    )
    yield (
        "B3",
        "MUST",
        "batching/never_above_max.py",
        "No batch is larger than the maximum.",
        skipped("the contract does not promise batching"),
        (),
    )
    yield (
        "A1",
        "MUST",
        "autoscaling/replicas_follow_formula.py",
        "Replicas follow the autoscaler's formula.",
        skipped("the cluster has no metrics API"),
        (),
    )


def header(run_id: str) -> RunHeader:
    return RunHeader(
        run_id=run_id,
        started="2026-01-01T00:00:00+00:00",
        seatrial="0.1.0",
        cluster="kind",
        certificate="certified",
        chart="charts/pii-service",
        chart_digest="sha256:9f2c4be1",
        contract=CONTRACT,
        versions={"kubernetes": "v1.34.0", "helm": "v3.19.0", "python": "3.11.7", "kind": "v0.30.0"},
        arguments=("certify", "charts/pii-service", "--cluster", "kind"),
    )


def begin(root: Path, *, healthy: bool = False, run_id: str = "20260101-000000-a1b2") -> RunRecord:
    """A record with trials and verdicts, not ended yet."""
    record = RunRecord.create(root, header(run_id))
    deletion = deletions(healthy=healthy)
    record.add_trial("pod-deletion", deletion, {"manifests.yaml": "kind: Deployment\n"})
    record.add_trial("calibration", calibration())
    record.add_trial_failure("scale", "the metrics API did not answer within 60 s")
    for check_id, level, source, title, verdict, trials in verdicts(deletion):
        name = Path(source).stem
        record.add_verdict(
            check_id,
            level,
            title,
            verdict,
            trials,
            name=name,
            promise=source.split("/")[0],
            source=f"conformance/{source}",
        )
    return record


def finished(root: Path, *, healthy: bool = False) -> RunRecord:
    """A record of a run that came to its end."""
    record = begin(root, healthy=healthy)
    record.finish(2 if healthy else 1)
    return record
