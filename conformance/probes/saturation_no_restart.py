"""Saturation alone restarts nothing and takes no pod out of service.

Source: Kubernetes, "Liveness, Readiness, and Startup Probes": a liveness probe that fails under load restarts the
container and makes the load of the others worse.
"""

from seatrial.contract import Contract
from seatrial.observation import Change
from seatrial.suite import check
from seatrial.trials.overload import OVERLOADED, Overload
from seatrial.trials.workload import probe
from seatrial.verdict import Measurement, Verdict, failed, inconclusive, passed
from seatrial.watch.pods import events, is_ready, restarts, terminations

LEAST_WINDOW_S = 30.0


@check("P5", level="MUST")
def saturation_no_restart(contract: Contract, overload: Overload) -> Verdict:
    start_s, end_s = overload.overload_s
    n = len(overload.over)
    liveness = [p for pod in overload.pods if (p := probe(pod.spec, contract.container, "liveness"))]
    window_s = max([LEAST_WINDOW_S, *(2 * p.patience_s for p in liveness)])
    if not overload.was_overload or end_s - start_s < window_s:
        return inconclusive(
            f"{OVERLOADED}, for {window_s:.0f} s", f"{overload.overload_facts()}, for {end_s - start_s:.0f} s",
            "declare limits.concurrency as it is, so that the capacity is found", n=n,
        )  # fmt: skip
    changes = overload.timeline.changes
    before = tuple(change for change in changes if change.at_s < start_s)
    counts = {pod: after - restarts(before).get(pod, 0) for pod, after in restarts(changes).items()}
    restarted = {pod: count for pod, count in counts.items() if count}
    facts = [
        f"{name}: {end.container} ended with {end.exit_code} ({end.reason})"
        for name in dict.fromkeys(pod.name for pod in overload.pods)
        for end in terminations(changes, name)
        if end.seen_s >= start_s
    ]
    killing = [c for c in events(changes, "Killing") if c.at_s >= start_s]
    unhealthy = [c for c in events(changes, "Unhealthy") if c.at_s >= start_s]
    if restarted or facts or killing:
        first = facts[0] if facts else str(killing[0].object.get("message") if killing else restarted)
        return failed(
            "no restart, no ended container, no Killing event", first[:200],
            "answer liveness from a path that inference cannot hold up, and bound what a refused request keeps",
            n=n, evidence=[*facts, *(str(c.object.get("message")) for c in killing[:3])],
        )  # fmt: skip
    if lost := _unready(changes, start_s):
        return failed(
            "every pod Ready throughout", f"{lost} became unready during the overload",
            "let readiness tell whether the server can serve, not how busy it is",
            n=n, evidence=[str(c.object.get("message")) for c in unhealthy[:3]],
        )  # fmt: skip
    return passed(
        f"no restart and every pod Ready through {window_s:.0f} s of overload",
        f"{end_s - start_s:.0f} s at {overload.offered_ratio:.2f} times the capacity, {len(unhealthy)} failed probes",
        n=n,
        measurements=[Measurement("restarts", 0, n=len(overload.pods), limit="= 0")],
        detects="a liveness probe that this overload makes fail as often as its threshold",
    )


def _unready(changes: tuple[Change, ...], since_s: float) -> str:
    for change in changes:
        if (
            change.kind == "Pod"
            and change.type == "MODIFIED"
            and change.at_s >= since_s
            and not is_ready(change.object)
        ):
            return change.name
    return ""
