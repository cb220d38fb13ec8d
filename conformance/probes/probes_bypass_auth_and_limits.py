"""Probes are answered while the limiter refuses everything else, and cost it nothing.

Source: Kubernetes, "Liveness, Readiness, and Startup Probes": the kubelet sends no credentials and does not retry.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seatrial.contract import Concurrency, DeclaredWorkload, Limits, LivenessProbe, LongCase, RateLimit, ReadinessProbe
from seatrial.ledger import Ledger, Mask
from seatrial.stats.buckets import FEWEST_EXPECTED, BucketJudgement, judge_bucket
from seatrial.stats.proportions import zero_event_bound
from seatrial.suite import check
from seatrial.trials.held_slots import EXTRA, NO_SLOT_HELD
from seatrial.trials.overload import Overload
from seatrial.trials.rate_limit import FLOOD, NO_FLOOD, RateLimited
from seatrial.trials.workload import probed_otherwise
from seatrial.verdict import Ground, Measurement, Verdict, skipped

WANTED = 100
NEAR_S = 0.1
KINDS = ("probe-readiness", "probe-liveness")


@dataclass(frozen=True, slots=True)
class Situation:
    """Probes of one pod while one of its limiters is exhausted.

    A probe beside which no case was refused, say because the generator was held up just then, shows nothing for the
    service; one that was not answered there is not held against it, but not passed over either.
    """

    where: str
    probes: Ledger
    refused: Ledger  # cases

    @property
    def exhausted(self) -> Mask:
        """Which probes had a case refused around them."""
        return _exhausted_around(self.probes, self.refused)

    @property
    def counted(self) -> Ledger:
        """The probes that show something."""
        return self.probes.select(self.exhausted)

    @property
    def suffices(self) -> bool:
        """There are enough of each kind that the pod has."""
        kinds = [kind for kind in KINDS if len(self.probes.of(kind))]
        return bool(kinds) and all(len(self.counted.of(kind)) >= WANTED for kind in kinds)


@check("P10", level="MUST", ablation=(NO_FLOOD, NO_SLOT_HELD))
def probes_bypass_auth_and_limits(
    limits: Limits,
    readiness: ReadinessProbe | None,
    liveness: LivenessProbe | None,
    long: LongCase | None,
    workload: DeclaredWorkload,
    limited: RateLimited | None,
    overload: Overload | None,
) -> Verdict:
    if not (readiness or liveness):
        return skipped("the contract does not promise an HTTP probe")
    pods = [*(limited.pods if limited else ()), *(overload.pods if overload else ())]
    if not liveness and any(probed_otherwise(pod.spec, workload.container, "readiness") for pod in pods):
        return skipped("the pods have no HTTP probe")
    situations = [*_bucket_empty(limits.rate, limited), *_slots_held(limits.concurrency, long, overload)]
    buckets = _buckets(limits.rate, limited)
    counted = Ground(n=sum(len(situation.counted) for situation in situations))
    # What failed anywhere has failed, whatever elsewhere was not seen often enough.
    for situation in situations:
        if len(bad := _unanswered(situation.counted)):
            asked, first = len(situation.counted), next(iter(bad))
            return counted.failed(
                f"{asked} of {asked} probes answered 2xx within their timeout",
                f"{situation.where}: {len(bad)} not, the first ({first.load}) {first.became}",
                "route probes past authentication, rate limit, concurrency gate and host rules",
                rows=bad,
            )
    ground = counted.with_(
        evidence=[
            f"{situation.where}: {len(situation.counted)} probes with a case refused around them"
            for situation in situations
        ]
    )
    for pod, bucket in buckets.items():
        if bucket.steady is not None and bucket.decision == "fail":
            return ground.failed(
                "as many cases admitted as without probes",
                f"{pod}: {bucket.steady.admitted} admitted once empty, a bucket without probes admits "
                f"{bucket.steady.ideal}",
                "do not take tokens for probes",
            )
    if doubt := _too_little_seen(situations, buckets, ground):
        return doubt
    n = counted.n or 0
    if not n:
        return counted.inconclusive("probes while the limiter is exhausted", "none", "declare probes and a long case")
    bound = zero_event_bound(n)
    refused = Measurement("probes refused", 0, n=n, low=0.0, high=bound, confidence=0.95)
    return counted.with_(measurements=[refused]).passed(
        "every probe 2xx within its timeout while the limiter refuses cases, and no tokens spent on probes",
        "; ".join(f"{s.where}: {len(s.counted)} of {len(s.counted)} probes 2xx" for s in situations),
        detects=f"{bound:.1%} of probes refused, at 95% confidence",
    )


def _too_little_seen(
    situations: list[Situation], buckets: dict[str, BucketJudgement], ground: Ground
) -> Verdict | None:
    """Why these probes tell nothing, if they do not."""
    for situation in situations:
        if not situation.suffices:
            return ground.inconclusive(
                f"{WANTED} probes of each kind, a case refused within {NEAR_S:g} s before and after each",
                f"{situation.where}: {len(situation.counted)} of {len(situation.probes)} probes so",
                "see that the limiter is exhausted: its scope, its status, the demand",
            )
    for pod, bucket in buckets.items():
        if bucket.steady is None:
            return ground.inconclusive(
                f"{FEWEST_EXPECTED:g} cases due to be admitted while the bucket is empty",
                f"{pod}: fewer",
                "set a higher rate for the trial",
            )
    unexplained = [row for s in situations for row in _unanswered(s.probes.select(~s.exhausted))]
    if unexplained:
        first = unexplained[0]
        return ground.inconclusive(
            f"every probe 2xx, or a case refused within {NEAR_S:g} s before and after it to show why it was not",
            f"{len(unexplained)} without, the first ({first.load}, {first.target}) {first.became}",
            "run again; if it stays, see why probes fail while the limiter lets cases in",
        )
    return None


def _bucket_empty(limit: RateLimit | None, limited: RateLimited | None) -> Iterator[Situation]:
    if limited and limit:
        refused = limited.ledger.of(FLOOD).with_status(limit.reject.status)
        for pod in limited.probed:
            yield Situation(f"{pod}, bucket empty", limited.ledger.of(*KINDS).to(pod), refused.to(pod))


def _slots_held(limit: Concurrency | None, long: LongCase | None, overload: Overload | None) -> Iterator[Situation]:
    if overload and limit and long:
        refused = overload.ledger.of(EXTRA).with_status(limit.reject.status)
        pod = overload.held_pod
        yield Situation(f"{pod}, slots held", overload.ledger.of(*KINDS).to(pod), refused.to(pod))


def _unanswered(probes: Ledger) -> Ledger:
    return probes.select((probes.status < 200) | (probes.status > 299) | (probes.error != probes.code("")))


def _exhausted_around(probes: Ledger, refused: Ledger) -> Mask:
    """Which probes had a case that was refused sent within NEAR_S before and after them, shape (n,)."""
    if not len(refused):
        return np.zeros(len(probes), dtype=np.bool_)
    times = np.sort(refused.sent_s)
    at = np.searchsorted(times, probes.sent_s)
    before = np.where(at > 0, probes.sent_s - times[np.maximum(at - 1, 0)], np.inf)
    after = np.where(at < len(times), times[np.minimum(at, len(times) - 1)] - probes.sent_s, np.inf)
    around: Mask = (before <= NEAR_S) & (after <= NEAR_S)
    return around


def _buckets(limit: RateLimit | None, limited: RateLimited | None) -> dict[str, BucketJudgement]:
    """By pod, whether as many cases were admitted as without probes."""
    if limited is None or limit is None:
        return {}
    judged = {}
    for pod in limited.probed:
        rows = limited.ledger.of(FLOOD).to(pod)
        answered = rows.select(rows.error == rows.code(""))
        judged[pod] = judge_bucket(
            answered.sent_s,
            answered.first_byte_s,
            answered.status != limit.reject.status,
            float(limit.per_second),
            float(limit.burst),
        )
    return judged
