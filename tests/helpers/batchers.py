"""A made-up batcher: what each of these arrivals takes, and what B4's trial would see of it."""

from collections.abc import Callable
from random import Random

import numpy as np

from seatrial.ledger import ledger
from seatrial.trials.batch_delay import FULL, LONE, LONE_ROWS, TRICKLE, Gaps, time_waited
from seatrial.trials.batching import TRICKLE_STEP, Batches
from seatrial.trials.quiet_time import LEAST_ROWS, QUIET, QUIET_S, arrivals_s
from tests.helpers.observations import common, row

Wait = Callable[[float, float, float], float]  # opened at, closed before at, delay: how long the batch stays open


def as_promised(opened_s, closed_s, delay_s):
    """The declared delay."""
    return delay_s


def twice_soon_after_another(opened_s, closed_s, delay_s):
    """Twice the delay, within 100 ms of the close of a batch."""
    return 2 * delay_s if opened_s - closed_s < 0.1 else delay_s


def parked_when_quiet(opened_s, closed_s, delay_s):
    """The delay, and 0.4 s more when no batch was closed for two seconds: what runs it has gone to sleep."""
    return delay_s + (0.4 if opened_s - closed_s > 2.0 else 0.0)


def answered(
    arrivals_s, delay_s, work_s, random, *, jitter_s, wait: Wait = as_promised, extended=0, size=8, quiet_s=1.0
):
    """When each arrival is answered. Each of the first `extended` members after the first starts the timer anew.

    No batch was closed for `quiet_s` before the first.
    """
    ended = np.empty(len(arrivals_s))
    closed_s, members, due_s = min(arrivals_s) - quiet_s, [], np.inf

    def close(at_s):
        nonlocal closed_s, members, due_s
        ended[members] = at_s + work_s + random.expovariate(1 / jitter_s)
        closed_s, members, due_s = at_s, [], np.inf

    for number in np.argsort(arrivals_s):
        at_s = arrivals_s[number]
        if members and at_s >= due_s:
            close(due_s)
        if not members:
            due_s = at_s + wait(at_s, closed_s, delay_s)
        elif len(members) <= extended:
            due_s = at_s + delay_s
        members.append(number)
        if len(members) == size:
            close(at_s)
    if members:
        close(due_s)
    return ended


def batches(seed=0, *, delay_s=0.08, work_s=0.025, full_s=None, jitter_s=0.002, quiet_work_s=None, **how) -> Batches:
    """The trial's lone requests and trickle before this batcher, and requests after quiet times before another.

    A second look where the first does not settle it. A full batch takes as long as one of few, unless told, and so
    does what comes after a quiet time.
    """
    random = Random(seed)
    rows = [row(FULL, n * 0.3, (full_s or work_s) + random.expovariate(1 / jitter_s)) for n in range(96)]
    gaps = Gaps.of(ledger(rows), delay_s)
    at_s, looks = 100.0, 0
    for look, count in enumerate(LONE_ROWS):
        lone_s = at_s + np.cumsum([gaps.answer_s + gap_s for gap_s in gaps.drawn(count, random)])
        trickle_s = lone_s[-1] + 2 + np.arange(0, 10.0, TRICKLE_STEP * delay_s)
        quiet_s = at_s + np.array(arrivals_s(gaps.answer_s, lone_s[-1] + 10.0 - at_s, LEAST_ROWS[look]))
        for load, pod, takes_s, before_s, due_s in (
            (LONE, "a", work_s, 1.0, lone_s),
            (TRICKLE, "a", work_s, 1.0, trickle_s),
            (QUIET, "b", quiet_work_s or work_s, QUIET_S, quiet_s),
        ):
            ended_s = answered(due_s, delay_s, takes_s, random, jitter_s=jitter_s, quiet_s=before_s, **how)
            rows += [
                row(load, due, ended - due, group=look, target=pod) for due, ended in zip(due_s, ended_s, strict=True)
            ]
        at_s, looks = float(trickle_s[-1]) + 2, look + 1
        if time_waited(ledger(rows), delay_s, looks, gaps).settled:
            break
    spacing_s = gaps.answer_s + gaps.least_s
    told = {"pod": "a", "quiet_pod": "b", "size": 8, "delay_s": delay_s, "spacing_s": spacing_s}
    return Batches(**common(rows), **told, gaps=gaps, looks=looks)
