"""A release of its own with a third rate, at which a token takes more than two seconds to come.

At ten a second any promise of a second is kept, whatever it rests on; here only one that follows from the rate is. The
release comes up beside the rollout of another rate, and is asked while that is saturated: it takes no time of its own.
Source: contract `limits.rate`; RFC 9110, section 10.2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from seatrial.errors import ClusterError, InputError
from seatrial.trials.context import TrialContext
from seatrial.trials.sandbox import Sandbox
from seatrial.trials.silent_wait import Limiter, Patience, silent_wait

SLOW_PER_SECOND = 0.3
SUFFIX = "-slow"  # of the names of its loads
LAST_ASKED, APART_S = 5, 0.05  # requests that are refused one after the other: what the last is told counts
READY_WITHIN_S = 30.0  # of a release that came up beside a rollout, when that is over


@dataclass(frozen=True, slots=True)
class SlowRefill:
    """The silent waits at this rate; `why_not` says why there were none, "" where there were."""

    per_second: float
    namespace: str
    pod: str = ""
    waits: tuple[Patience, ...] = ()
    why_not: str = ""


@dataclass(frozen=True)
class SlowRelease:
    """One replica at this rate, in a sandbox of its own; its requests are sent by the trial's own generators."""

    sandbox: Sandbox
    refused: str  # why it cannot be installed, "" where it can

    def taken_at_its_word(self, sandbox: Sandbox, burst: float, rounds: int) -> SlowRefill:
        """Empty the bucket, and wait for as long as the last of several refusals says, so many times."""
        try:
            if self.refused:
                raise ClusterError(self.refused)
            (pod,) = self.sandbox.workload().wait_pods(1, READY_WITHIN_S)
        except ClusterError as failed:
            return SlowRefill(SLOW_PER_SECOND, self.sandbox.namespace, why_not=str(failed))
        limiter = Limiter(self.sandbox.workload().target(pod), SLOW_PER_SECOND, SUFFIX)
        one_by_one = [APART_S * n for n in range(LAST_ASKED)]
        at_once = [0.003 * n for n in range(int(burst) + 1)]
        waits = [silent_wait(sandbox, limiter, 0, [*at_once, *(at_once[-1] + APART_S + at_s for at_s in one_by_one)])]
        if waits[0].promised_s is None:
            why_not = f"none of {len(at_once) + LAST_ASKED} requests was refused with a wait that can be read"
            return SlowRefill(SLOW_PER_SECOND, self.sandbox.namespace, pod.name, why_not=why_not)
        while len(waits) < rounds and not waits[-1].searched:
            waits.append(silent_wait(sandbox, limiter, len(waits), one_by_one))
        return SlowRefill(SLOW_PER_SECOND, self.sandbox.namespace, pod.name, tuple(waits))


def slow_release(beside: ExitStack, context: TrialContext, values: Mapping[str, Any]) -> SlowRelease:
    """Begin to install it with values for SLOW_PER_SECOND, to be closed with `beside`."""
    sandbox = beside.enter_context(Sandbox(context, "rate-slow"))
    try:
        sandbox.release.install(values, replicas=1, wait=False)
    except (InputError, ClusterError) as refused:
        return SlowRelease(sandbox, str(refused))
    return SlowRelease(sandbox, "")
