"""Saturation alone restarts nothing and takes no pod out of service.

Where `probes.readiness_sheds_load` is promised, readiness may fail while saturation lasts, and has to be back after it.

Source: Kubernetes, "Liveness, Readiness, and Startup Probes": a liveness probe that fails under load restarts the
container and makes the load of the others worse.
"""

from collections.abc import Sequence

from seatrial.contract import DeclaredWorkload, ShedsLoad
from seatrial.observation import Change
from seatrial.suite import check
from seatrial.trials.held_slots import FAILING
from seatrial.trials.overload import CLOSED, HARDLY_ANY_OVERLOAD, OVERLOADED, Overload
from seatrial.trials.workload import probe
from seatrial.verdict import Ground, Measurement, Verdict
from seatrial.watch.disruption import Disruption, disruptions, ended, killed
from seatrial.watch.ownership import own_changes
from seatrial.watch.pods import events, is_ready, of_pod

LEAST_WINDOW_S = 30.0
READY_AGAIN_S = 15.0  # of quiet


@check("P5", level="MUST", timed=True, ablation=HARDLY_ANY_OVERLOAD)
def saturation_no_restart(workload: DeclaredWorkload, sheds: ShedsLoad | None, overload: Overload) -> Verdict:
    start_s, end_s = overload.overload_s
    ground = Ground(n=len(overload.over))
    liveness = [p for pod in overload.pods if (p := probe(pod.spec, workload.container, "liveness"))]
    window_s = max([LEAST_WINDOW_S, *(2 * p.patience_s for p in liveness)])
    # The closed loop's clients saturate a service too: twice as many as it declares to take at once, or 16 where it
    # declares nothing. One that breaks under these has no capacity left of which twice as much could be offered.
    closed, failing = overload.ledger.of(CLOSED), overload.ledger.of(FAILING)
    since_s = float(closed.scheduled_s.min()) if len(closed) else start_s
    # What a request brings down that is to fail, no load has.
    until_s = float(failing.sent_s.min()) if len(failing) else float("inf")
    if broken := _broken(overload, since_s, until_s, ground.with_(n=len(closed))):
        return broken
    changes = own_changes(overload)
    unhealthy = [c for c in events(changes, overload.subject, "Unhealthy") if c.at_s >= start_s]
    if sheds and (doubt := _not_back(overload, unhealthy)):
        return doubt
    if not sheds and (lost := _unready(changes, start_s, until_s)):
        return ground.with_(evidence=_messages(unhealthy[:3])).failed(
            "every pod Ready throughout",
            f"{lost} became unready during the overload",
            "let readiness tell whether the server can serve, not how busy it is; or, if it sheds load by design, "
            "promise probes.readiness_sheds_load",
        )
    if not overload.was_overload or end_s - start_s < window_s:
        return ground.inconclusive(
            f"{OVERLOADED}, for {window_s:.0f} s",
            f"{overload.overload_facts()}, for {end_s - start_s:.0f} s",
            "declare limits.concurrency as it is, so that the capacity is found",
        )
    ready = f"Ready again within {READY_AGAIN_S:g} s after" if sheds else "Ready through"
    shed = f", {_shed(changes, overload.overload_s)} pods unready meanwhile" if sheds else ""
    restarts_seen = Measurement("restarts", 0, n=len(overload.pods), limit="= 0")
    return ground.with_(measurements=[restarts_seen]).passed(
        f"no restart and every pod {ready} {window_s:.0f} s of overload",
        f"{end_s - start_s:.0f} s at {overload.offered_ratio:.2f} times the capacity, {len(unhealthy)} Unhealthy events"
        + shed,
        detects="a liveness probe that this overload makes fail as often as its threshold"
        + (f", a pod out of service {READY_AGAIN_S:g} s after it" if sheds else ""),
    )


def _broken(overload: Overload, since_s: float, until_s: float, ground: Ground) -> Verdict | None:
    """A container that ended, was restarted or is being killed in [since_s, until_s); None if all went on."""
    broken = _before(until_s, disruptions(overload, since_s))
    if not broken:
        return None
    kept = (*_before(until_s, ended(overload, since_s)), *_before(until_s, killed(overload, since_s))[:3])
    return ground.with_(evidence=[disruption.what for disruption in kept]).failed(
        "no restart, no ended container, no Killing event",
        broken[0].what[:200],
        "answer liveness from a path that inference cannot hold up, and bound what a refused request keeps",
    )


def _before(until_s: float, seen: tuple[Disruption, ...]) -> tuple[Disruption, ...]:
    return tuple(disruption for disruption in seen if disruption.at_s < until_s)


def _unready(changes: tuple[Change, ...], since_s: float, until_s: float) -> str:
    for change in changes:
        if (
            change.kind == "Pod"
            and change.type == "MODIFIED"
            and since_s <= change.at_s < until_s
            and not is_ready(change.object)
        ):
            return change.name
    return ""


def _not_back(overload: Overload, unhealthy: list[Change]) -> Verdict | None:
    """A pod that is not Ready, or not for good, when it has been quiet for long enough; None if all are.

    Looked at until the light load ends: what comes after it fills the slots of one pod.
    """
    over_s, quiet_s = overload.overload_s[1], overload.recovery_s[1]
    since_s = min(over_s + READY_AGAIN_S, quiet_s)
    late = next(
        (pod.name for pod in overload.pods if _unready_in(overload.timeline.changes, pod.name, since_s, quiet_s)), ""
    )
    if not late:
        return None
    expected = f"every pod Ready again within {READY_AGAIN_S:g} s after the overload, and from then on"
    if quiet_s - over_s < READY_AGAIN_S:
        return Ground(n=len(overload.over)).inconclusive(
            expected,
            f"{late} was not, when only {quiet_s - over_s:.0f} s had been quiet",
            "run again; a smaller limits.concurrency makes the quiet time longer",
        )
    return Ground(n=len(overload.over), evidence=tuple(_messages(unhealthy[-3:]))).failed(
        expected,
        f"{late} was unready {READY_AGAIN_S:g} s after it or later",
        "let readiness follow the load of this moment: what sheds load has to take it again",
    )


def _messages(changes: Sequence[Change]) -> list[str]:
    return [str(change.object.get("message")) for change in changes]


def _unready_in(changes: tuple[Change, ...], pod: str, start_s: float, end_s: float) -> bool:
    states = [(change.at_s, is_ready(change.object)) for change in of_pod(changes, pod) if change.at_s <= end_s]
    before = [ready for at_s, ready in states if at_s <= start_s]
    return not all([*before[-1:], *(ready for at_s, ready in states if at_s > start_s)])


def _shed(changes: tuple[Change, ...], window: tuple[float, float]) -> int:
    """How many pods were unready at some time in the window."""
    return len(
        {c.name for c in changes if c.kind == "Pod" and window[0] <= c.at_s <= window[1] and not is_ready(c.object)}
    )
