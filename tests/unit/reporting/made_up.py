"""A made-up run that looks like a real one: its trials, its verdicts, and its record."""

from __future__ import annotations

from pathlib import Path

from made_up_trials import calibration, deletions
from made_up_verdicts import verdicts

from seatrial.record import RecordWriter, RunHeader

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


def begin(root: Path, *, healthy: bool = False, run_id: str = "20260101-000000-a1b2") -> RecordWriter:
    """A record with trials and verdicts, not ended yet."""
    record = RecordWriter.create(root, header(run_id))
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


def finished(root: Path, *, healthy: bool = False) -> RecordWriter:
    """A record of a run that came to its end."""
    record = begin(root, healthy=healthy)
    record.finish(2 if healthy else 1)
    return record
