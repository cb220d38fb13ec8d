"""The outage of a dependency restarts nothing, and its return mends everything.

Source: Kubernetes, "Liveness, Readiness, and Startup Probes": a liveness probe that fails with a dependency restarts
containers that a restart does not mend; contract `dependencies`.
"""

from seatrial.contract import Dependencies
from seatrial.ledger import Ledger, Mask
from seatrial.suite import check
from seatrial.trials.dependency_outage import (
    LEFT_ALONE,
    LIVENESS,
    LIVENESS_PERIOD_S,
    RECOVERED_WITHIN_S,
    SERVICE,
    DependencyOutage,
    Outage,
    Restoration,
)
from seatrial.verdict import Ground, Measurement, Verdict, skipped
from seatrial.watch.disruption import disruptions
from seatrial.watch.ownership import own_changes
from seatrial.watch.pods import is_ready, of_pod

WANTED_SHARE = 0.8  # of the liveness probes that were due
WANTED_RIGHT = 5  # cases, after a return


@check("P3", level="MUST", ablation=LEFT_ALONE)
def dependency_outage_no_restart(dependencies: Dependencies, seen: DependencyOutage) -> Verdict:
    if not dependencies.brought:
        return skipped("no dependency of the contract is one that Seatrial brings, and can take away")
    probes = seen.ledger.of(LIVENESS)
    ground = Ground(n=len(probes) + len(seen.ledger.of(SERVICE)))
    if not seen.outages or not seen.restorations:
        return ground.inconclusive(
            "an outage of each dependency, and its return", "none", "run again; see what the trial says"
        )
    since_s = min(outage.start_s for outage in seen.outages)
    if broken := disruptions(seen, since_s):
        return ground.with_(evidence=[disruption.what for disruption in broken]).failed(
            "no restart, no ended container, no Killing event",
            f"{broken[0].what}{_when(seen, broken[0].at_s)}"[:300],
            "let liveness ask the process alone, and let a lost connection end the request and not the process",
        )
    dead = probes.select(~_alive(probes) & ~seen.environmental(probes) & (probes.sent_s >= since_s))
    if len(dead):
        first = next(iter(dead))
        return ground.failed(
            "liveness answered with 2xx within its timeout, asked every second",
            f"{len(dead)} of {len(probes)} were not, the first {first.error or f'answered {first.status}'}"
            f"{_when(seen, first.sent_s)}",
            "let liveness ask nothing that a dependency can hold up: no query, no pool of connections",
            rows=dead,
        )
    early = seen.ledger.of(SERVICE).between(seen.started_s, since_s)
    if not len(early) or not early.right.all():
        return ground.inconclusive(
            "cases that are right before any outage",
            f"{int(early.right.sum())} of {len(early)}",
            "see that cases are answered right while nothing is wrong",
            rows=early.select(~early.right),
        )
    recovered_s = {}
    for back in seen.restorations:
        recovered_s[back.dependency], last = _recovery(seen, back)
        if recovered_s[back.dependency] > RECOVERED_WITHIN_S:
            return ground.failed(
                f"every pod Ready and cases right within {RECOVERED_WITHIN_S:g} s of the return of a dependency",
                f"{back.dependency}: {last} {recovered_s[back.dependency]:.0f} s after its return",
                "make lost connections anew, and let readiness ask again",
                rows=_wrong(seen, back),
            )
    if short := _precondition(seen, probes):
        return ground.inconclusive(*short)
    names = ", ".join(dict.fromkeys(outage.dependency for outage in seen.outages))
    slowest_s = max(recovered_s.values())
    measured = [
        Measurement("restarts", 0, n=len(seen.pods), limit="= 0"),
        Measurement("slowest recovery", slowest_s, "s", n=len(recovered_s), limit=f"<= {RECOVERED_WITHIN_S:g} s"),
    ]
    return ground.with_(measurements=measured).passed(
        "no restart and live pods through every outage, and everything as before soon after it",
        f"{names}: {len(seen.outages)} outages of {seen.wanted_s:.0f} s, {len(probes)} liveness probes answered, "
        f"recovered after {slowest_s:.1f} s",
        detects="a liveness probe that fails with a dependency as often as its threshold, an exit, "
        f"a recovery that takes more than {RECOVERED_WITHIN_S:g} s",
    )


def _precondition(seen: DependencyOutage, probes: Ledger) -> tuple[str, str, str] | None:
    """What keeps a run in which nothing broke from being a pass; None if nothing does."""
    for outage in seen.outages:
        what = f"{outage.dependency}, {outage.kind}"
        if not outage.served_before:
            return (
                "a dependency that the release used before its outage",
                f"{what}: nothing was asked of it",
                "see that the release reaches it by the address that Seatrial gives, and that cases need it",
            )
        if outage.end_s - outage.start_s < seen.wanted_s:
            return (
                f"outages of {seen.wanted_s:.0f} s: 1.5 times what liveness takes to restart a container",
                f"{what}: {outage.end_s - outage.start_s:.0f} s",
                "run again",
            )
        if not outage.denied and not _failed_in(seen, outage):
            return (
                "an outage that the release met: an attempt denied, or a case failed",
                f"{what}: neither",
                "see that cases need the dependency",
            )
        due = len(set(probes.texts("target"))) * (outage.end_s - outage.start_s) / LIVENESS_PERIOD_S
        asked = len(probes.between(outage.start_s, outage.end_s))
        if asked < WANTED_SHARE * due:
            return f"{WANTED_SHARE:.0%} of {due:.0f} liveness probes sent", f"{what}: {asked}", "run again"
    for back in seen.restorations:
        right = int(seen.ledger.of(SERVICE).between(back.at_s, back.until_s).right.sum())
        if right < WANTED_RIGHT:
            return f"{WANTED_RIGHT} right cases after a return", f"{back.dependency}: {right}", "run again"
    return None


def _alive(probes: Ledger) -> Mask:
    """Which probes the kubelet would have taken as good, shape (n,): 200 to 399."""
    answered: Mask = probes.error == probes.code("")
    return answered & (probes.status >= 200) & (probes.status < 400)


def _failed_in(seen: DependencyOutage, outage: Outage) -> int:
    rows = seen.ledger.of(SERVICE).between(outage.start_s, outage.end_s)
    return int((~rows.right).sum())


def _wrong(seen: DependencyOutage, back: Restoration) -> Ledger:
    rows = seen.ledger.of(SERVICE).between(back.at_s, back.until_s)
    return rows.select(~rows.right & ~seen.environmental(rows))


def _recovery(seen: DependencyOutage, back: Restoration) -> tuple[float, str]:
    """How long after a dependency's return something was last not as before, and what that was."""
    last_s, why = back.at_s, ""
    for pod in seen.pods:
        states = [(c.at_s, is_ready(c.object)) for c in of_pod(own_changes(seen), pod.name)]
        states = [state for state in states if state[0] <= back.until_s]
        if not states:
            continue  # it was made later
        ends = [at_s for at_s, _ in states[1:]] + [back.until_s]
        for (_, ready), end_s in zip(states, ends, strict=True):
            if not ready and end_s > last_s:
                last_s, why = end_s, f"{pod.name} was not Ready"
    for row in _wrong(seen, back):
        if row.ended_s > last_s:
            last_s, why = row.ended_s, f"a case was {row.error or f'answered {row.status}'}"
    return last_s - back.at_s, why


def _when(seen: DependencyOutage, at_s: float) -> str:
    """In which outage, or after which, a moment lies."""
    begun = [outage for outage in seen.outages if outage.start_s <= at_s]
    if not begun:
        return ""
    when = "during" if at_s <= begun[-1].end_s else "after"
    return f", {when} the {begun[-1].kind} of {begun[-1].dependency}"
