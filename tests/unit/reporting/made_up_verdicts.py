"""Made-up verdicts of every outcome, on pod deletions that went well or badly."""

from __future__ import annotations

from collections.abc import Iterator

from made_up_trials import Deletions

from seatrial.verdict import Measurement, Verdict, errored, failed, inconclusive, passed, skipped


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
