"""The readiness path answers 2xx by itself: no redirect, and no page that answers for every path.

Source: Kubernetes, "Liveness, Readiness, and Startup Probes": the kubelet takes a redirect to another host as
success, with a ProbeWarning event.
"""

import json

from seatrial.contract import DeclaredWorkload, ReadinessProbe
from seatrial.ledger import Request
from seatrial.suite import check
from seatrial.trials.install import READINESS_NOT_ASKED, Install
from seatrial.trials.workload import probed_otherwise
from seatrial.verdict import Ground, Verdict, skipped
from seatrial.watch.pods import events, ready_at_s


@check("P11", level="MUST", ablation=READINESS_NOT_ASKED)
def readiness_2xx_no_redirect(readiness: ReadinessProbe, workload: DeclaredWorkload, install: Install) -> Verdict:
    if any(probed_otherwise(pod.spec, workload.container, "readiness") for pod in install.pods):
        return skipped("the pods' readiness probe is no HTTP probe")
    changes = install.timeline.changes
    pods = [pod.name for pod in install.pods if ready_at_s(changes, pod.name) is not None]
    asked, nowhere = install.ledger.of("readiness-path"), install.ledger.of("random-path")
    seen = [pod for pod in pods if len(asked.to(pod)) and len(nowhere.to(pod))]
    if not seen:
        return Ground(n=0).inconclusive(
            "a pod that the kubelet calls ready, asked on the readiness path and on a random one",
            f"{len(pods)} ready, {len(asked)} and {len(nowhere)} answers",
            "see why no pod became ready (P1), or run again",
        )
    ground = Ground(n=len(asked))
    if wrong := next((row for row in asked if not is_answer_of_its_own(row)), None):
        return ground.failed(
            "status 200 to 299 without a Location header on the readiness path",
            f"{wrong.pod or wrong.target} answered {wrong.error or wrong.status} {wrong.headers}",
            "answer the probe itself; let it pass by authentication and path rewriting",
            rows=[wrong],
        )
    if warned := events(changes, install.subject, "ProbeWarning"):
        return ground.with_(evidence=[str(change.object.get("message")) for change in warned[:3]]).failed(
            "no ProbeWarning event",
            str(warned[0].object.get("message", ""))[:200],
            "answer the readiness probe without a redirect",
        )
    pairs = [(next(iter(asked.to(pod))), next(iter(nowhere.to(pod)))) for pod in seen]
    if caught := next((pod for pod, pair in zip(seen, pairs, strict=True) if is_the_same_page(*pair)), None):
        ready, other = pairs[seen.index(caught)]
        return ground.failed(
            "another answer on a random path than on the readiness path",
            f"{caught} answers both with {ready.status} and the same body",
            "route the readiness path to a handler that looks at the server's state",
            rows=[other],
        )
    return ground.passed(
        "2xx on the readiness path, no redirect, no warning, another answer on a random path",
        f"{len(asked)} answers of {len(seen)} pods",
        detects="a redirect or a catch-all page on any of these pods",
    )


def is_answer_of_its_own(row: Request) -> bool:
    """2xx, and no redirect."""
    return not row.error and 200 <= row.status < 300 and "location" not in json.loads(row.headers or "{}")


def is_the_same_page(ready: Request, other: Request) -> bool:
    """A random path is answered as the readiness path is."""
    return not other.error and (other.status, other.body) == (ready.status, ready.body)
