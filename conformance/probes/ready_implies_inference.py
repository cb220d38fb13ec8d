"""A pod that says it is ready answers: from its first 2xx readiness on, every case, right and in time.

Source: Kubernetes, "Pod Lifecycle", readiness; contract `probes.readiness`.
Judged at every container start that the install and the deletions caused, and after a restart in place.
"""

import numpy as np

from seatrial.contract import Api, ReadinessProbe, Restart
from seatrial.suite import check
from seatrial.trials.install import Install
from seatrial.trials.starts import AT_FIRST_2XX, AT_READY, CASES, NO_CASES, POLLED
from seatrial.verdict import Measurement, Verdict, failed, inconclusive, passed

WANTED_STARTS = 3


@check("P1", level="MUST", ablation=NO_CASES)
def ready_implies_inference(readiness: ReadinessProbe, api: Api, restart: Restart | None, install: Install) -> Verdict:
    deadline_s = api.deadline_s or float("inf")
    judged, restarts, n = 0, 0, 0
    facts: list[str] = []
    for start in install.starts:
        polls = install.ledger.of(POLLED).in_group(start.index)
        good = polls.select((polls.status >= 200) & (polls.status < 300) & (polls.error == polls.code("")))
        cases = install.ledger.of(AT_FIRST_2XX, AT_READY).in_group(start.index)
        if not len(good) and not len(cases):
            continue
        # The kubelet may have seen a 2xx that the polls missed: then the first case marks the moment.
        ready_s = float(np.nanmin([*good.ended_s, *cases.scheduled_s]))
        not_ready = int((polls.ended_s < ready_s).sum())
        wrong = cases.select(~cases.right | (cases.ended_s - cases.sent_s > deadline_s))
        n += len(cases)
        facts.append(
            f"start {start.index} ({start.pod}, restart {start.restart}): {not_ready} probes not ready, then 2xx "
            f"{ready_s - start.seen_s:.2f} s after the start was seen; {len(cases) - len(wrong)} of {len(cases)} right"
        )
        if len(wrong):
            first = next(iter(wrong))
            return failed(
                "every case right and in time from the first 2xx readiness on",
                f"{len(wrong)} of {len(cases)} not, the first {first.error or f'answered {first.status}'} "
                f"{first.sent_s - ready_s:.2f} s after it ({first.load})",
                "answer the readiness probe with 2xx only once inference works",
                n=n,
                rows=wrong,
                evidence=facts,
            )
        if not_ready and len(good) and len(cases) >= CASES:
            judged += 1
            restarts += start.restart > 0
    wanted_restarts = 1 if restart else 0
    if judged < WANTED_STARTS or restarts < wanted_restarts:
        return inconclusive(
            f"{WANTED_STARTS} starts with a not-ready phase before the first 2xx, {wanted_restarts} of them a restart",
            f"{judged} such starts, {restarts} restarts",
            "make the start slow enough to be seen, or run again",
            n=judged,
            evidence=facts,
        )
    return passed(
        "every case right and in time from the first 2xx readiness on",
        f"{n} cases over {judged} starts, all right",
        n=n,
        measurements=[Measurement("cases not right", 0, n=n, low=0.0, high=1 - 0.05 ** (1 / n), confidence=0.95)],
        evidence=facts,
        detects=f"{100 * (1 - 0.05 ** (1 / n)):.1f}% of the first requests failing, at 95% confidence",
    )
