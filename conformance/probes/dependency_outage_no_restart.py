"""The outage of a dependency restarts nothing, and its return mends everything.

Source: Kubernetes, "Liveness, Readiness, and Startup Probes": a liveness probe that fails with a dependency restarts
containers that a restart does not mend; contract `dependencies`.
Liveness fails if a kubelet would restart a container for it, if it fails as often in a row as its threshold until the
outage ends, or in far more seconds of an outage than otherwise. A single late probe is none of these: the kubelet
bears it, and machines stand still at times.
"""

from seatrial.contract import DeclaredWorkload, Dependencies
from seatrial.ledger import Ledger
from seatrial.stats import ALPHA, BETA
from seatrial.suite import check
from seatrial.trials.dependency_outage import (
    LEFT_ALONE,
    LIVENESS_PERIOD_S,
    RECOVERED_WITHIN_S,
    SERVICE,
    DependencyOutage,
    Outage,
)
from seatrial.trials.liveness import is_alive, threshold
from seatrial.trials.outage_liveness import Liveness
from seatrial.trials.outage_recovery import Recovery
from seatrial.verdict import Ground, Measurement, Verdict, skipped
from seatrial.watch.disruption import disruptions

WANTED_SHARE = 0.8  # of the liveness probes that were due
WANTED_RIGHT = 5  # cases, after a return


@check("P3", level="MUST", ablation=LEFT_ALONE)
def dependency_outage_no_restart(
    dependencies: Dependencies, workload: DeclaredWorkload, seen: DependencyOutage
) -> Verdict:
    if not dependencies.brought:
        return skipped("no dependency of the contract is one that Seatrial brings, and can take away")
    liveness = Liveness.of(seen, workload.container)
    ground = Ground(n=len(liveness.probes) + len(seen.ledger.of(SERVICE)))
    if not seen.outages:
        return ground.inconclusive("an outage of each dependency", "none", "run again; see what the trial says")
    if broken := disruptions(seen, seen.since_s):
        return ground.with_(evidence=[disruption.what for disruption in broken]).failed(
            "no restart, no ended container, no Killing event",
            f"{broken[0].what}{seen.when(broken[0].at_s)}"[:300],
            "let liveness ask the process alone, and let a lost connection end the request and not the process",
        )
    if dead := _liveness_lost(seen, liveness, ground):
        return dead
    recovered, before = [Recovery.of(seen, back, workload.container) for back in seen.restorations], seen.cases_before()
    for recovery in recovered:
        if late := recovery.too_late(before):
            return ground.failed(
                f"every pod Ready and cases right within {RECOVERED_WITHIN_S:g} s of the return of a dependency",
                f"{recovery.dependency}: {late}",
                "make lost connections anew, and let readiness ask again",
                rows=recovery.wrong,
            )
    if short := _precondition(dependencies, seen, liveness, before):
        return ground.inconclusive(*short)
    names = ", ".join(dict.fromkeys(outage.dependency for outage in seen.outages))
    slowest_s = max(recovery.took_s for recovery in recovered)
    unanswered, n = int((~is_alive(liveness.probes)).sum()), len(liveness.probes)
    measured = [
        Measurement("restarts", 0, n=len(seen.pods), limit="= 0"),
        Measurement("slowest recovery", slowest_s, "s", n=len(recovered), limit=f"<= {RECOVERED_WITHIN_S:g} s"),
    ]
    return ground.with_(measurements=measured).passed(
        "no restart and live pods through every outage, and everything as before soon after it",
        f"{names}: {len(seen.outages)} outages of {seen.wanted_s:.0f} s, {n - unanswered} liveness probes answered"
        f"{f', {unanswered} not' if unanswered else ''}, recovered after {slowest_s:.1f} s",
        detects="a liveness probe that fails with a dependency as often as its threshold, an exit, "
        f"a recovery that takes more than {RECOVERED_WITHIN_S:g} s",
    )


def _liveness_lost(seen: DependencyOutage, liveness: Liveness, ground: Ground) -> Verdict | None:
    """A failure where liveness went with a dependency; None where it did not."""
    do = "let liveness ask nothing that a dependency can hold up: no query, no pool of connections"
    if run := liveness.unbearable():
        first, its = next(iter(run.rows)), liveness.of_pods[run.pod]
        return ground.failed(
            f"fewer than {threshold(its)} liveness probes in a row that are not answered within "
            f"{its.timeout_s:g} s, asked every second",
            f"{run.in_a_row} in a row of {run.pod} were not, for {run.last_s - run.first_s:.0f} s, the first "
            f"{first.became}{seen.when(first.sent_s)}",
            do,
            rows=run.rows,
        )
    otherwise = liveness.otherwise()
    for outage in seen.outages:
        during = liveness.during(outage)
        if during.chance_next_to(otherwise) <= ALPHA / len(seen.outages):
            rows = liveness.probes.between(outage.start_s, outage.end_s)
            return ground.failed(
                f"liveness that fails no more often than otherwise, in {otherwise.failed} of {otherwise.asked} s",
                f"in {during.failed} of {during.asked} s{seen.when(outage.start_s)}",
                do,
                rows=rows.select(~is_alive(rows)),
            )
    return None


def _precondition(
    dependencies: Dependencies, seen: DependencyOutage, liveness: Liveness, before: Ledger
) -> tuple[str, str, str] | None:
    """What keeps a run in which nothing broke from being a pass; None if nothing does."""
    if not len(before) or not before.right.all():
        return (
            "cases that are right before any outage",
            f"{int(before.right.sum())} of {len(before)}",
            "see that cases are answered right while nothing is wrong",
        )
    for outage in seen.outages:
        brought = dependencies.root[outage.dependency].brought
        if short := _outage_too_little(seen, liveness, outage, bool(brought and brought.only_at_start)):
            return short
    if not seen.restorations:
        return "the return of each dependency", "none", "run again; see what the trial says"
    for back in seen.restorations:
        right = int(seen.ledger.of(SERVICE).between(back.at_s, back.until_s).right.sum())
        if right < WANTED_RIGHT:
            return f"{WANTED_RIGHT} right cases after a return", f"{back.dependency}: {right}", "run again"
    return None


def _outage_too_little(
    seen: DependencyOutage, liveness: Liveness, outage: Outage, only_at_start: bool
) -> tuple[str, str, str] | None:
    """Why one outage shows too little, if it does.

    Of what only starting pods ask, nothing is to be felt: what it shows is that cases go on.
    """
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
    rows = seen.ledger.of(SERVICE).between(outage.start_s, outage.end_s)
    if only_at_start and (len(rows) < WANTED_RIGHT or not rows.right.all()):
        return (
            f"{WANTED_RIGHT} cases and more, all right, while what only starting pods ask is away",
            f"{what}: {int(rows.right.sum())} of {len(rows)}",
            "leave `only_at_start` out of the contract, where cases need the dependency",
        )
    if not only_at_start and not outage.denied and rows.right.all():
        return (
            "an outage that the release met: an attempt denied, or a case failed",
            f"{what}: neither",
            "see that cases need the dependency, or say `only_at_start` of it where only starting pods do",
        )
    due = len(set(liveness.probes.texts("target"))) * (outage.end_s - outage.start_s) / LIVENESS_PERIOD_S
    asked = len(liveness.probes.between(outage.start_s, outage.end_s))
    if asked < WANTED_SHARE * due:
        return (
            f"{WANTED_SHARE:.0%} of {due:.0f} liveness probes sent, on a machine that does not stand still",
            f"{what}: {asked}",
            "run again; give the cluster more cores",
        )
    during, otherwise = liveness.during(outage), liveness.otherwise()
    if (chance := during.chance_next_to(otherwise)) <= BETA:
        return (
            "liveness that fails no more often than otherwise",
            f"{what}: in {during.failed} of {during.asked} s, otherwise in {otherwise.failed} of {otherwise.asked}; "
            f"by chance in {chance:.1%} of runs",
            "run again; see what else liveness waits for",
        )
    return None
