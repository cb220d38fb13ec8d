"""How many requests one replica takes at once: all its slots held by long cases, and then once more.

More long cases than there are slots are sent together to one pod, and ordinary cases after them. What was worked on at
the same time for certain may not be more than the limit, and what may have been, not less. Between the two times some
requests fail (the contract's poison, where it has one) and some callers leave: with the refusals of the first time,
these are the ways of a request to end without an answer, and each has to give its slot back. Where the second time
shows fewer slots, the pod is left alone for longer, and a third decides: work that nobody waits for may have gone on.
Source: contract `limits.concurrency`, `inference.long`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from seatrial.contract import Concurrency, Contract, Limits, Reject
from seatrial.ledger import Ledger
from seatrial.observation import Pod
from seatrial.traffic.plan import Exchange, Load, OpenLoop, PodTarget
from seatrial.trials import workload
from seatrial.trials.ablation import Ablation, without
from seatrial.trials.sandbox import Sandbox
from seatrial.trials.slots import refused_as

HOLD, EXTRA, FAILING, LEAVING = "hold", "extra", "failing", "leaving"
MORE = 4  # long cases than there are slots
SPREAD_S = 0.2  # between the shortest and the longest: equal ones might be worked on as one
EXTRA_AFTER_S, EXTRA_EVERY_S = 0.65, 0.03
PROBE_RPS = 20.0
PROBED_AFTER_S = 0.8
AGAIN_S = 1.0  # of ordinary cases, the second time
EACH = 4  # requests that fail, and callers that leave
APART = 1.25  # times what a lone request takes, one after the other
LEFT_ALONE = 4.0, 10.0  # times as much, the pod is left alone before the second time and the third
LEAST_LONE_S, LEAST_ALONE_S = 0.02, 1.0
SURELY_WORKED, LEAST_WAITED = 0.9, 1.5  # shares of the work of a long case
MAYBE_CACHED_S = 0.05  # an answer that takes no longer may have needed no slot

NO_SLOT_HELD = Ablation("no slot is held", without(HOLD, EXTRA))


@dataclass(frozen=True, slots=True)
class Held:
    """One time that the slots of a pod were filled; `index` is the group of its loads in the ledger."""

    index: int
    work_s: float  # that the shortest of its long cases takes


def fill(sandbox: Sandbox, pod: Pod, slots: int, probes: int) -> tuple[Held, ...]:
    """Fill the slots of a pod two or three times, and probe it during the first; lone cases were measured before."""
    contract, target = sandbox.context.contract, sandbox.workload().target(pod)
    limit, limits = contract.limits.concurrency, contract.limits
    assert limit is not None
    held: tuple[Held, ...] = (Held(0, probes / PROBE_RPS + 2.0),)
    start_s = sandbox.now() + 0.5
    extra_for_s = probes / PROBE_RPS + 2 * (PROBED_AFTER_S - EXTRA_AFTER_S)
    filling = _filling(contract, target, held[0], slots, start_s, extra_for_s)
    sandbox.traffic.send(*filling, *_probing(sandbox, pod, start_s + PROBED_AFTER_S, probes))
    sandbox.note(held=held)
    lone_s = max(LEAST_LONE_S, sandbox.traffic.lone_s)  # in this order: of no answers it is NaN
    sandbox.traffic.send(*_without_an_answer(contract, target, sandbox.now() + 0.3, lone_s))
    for alone in LEFT_ALONE:
        again = Held(len(held), EXTRA_AFTER_S + AGAIN_S + limit.reject_within_s + 0.25)
        start_s = sandbox.now() + max(LEAST_ALONE_S, alone * lone_s)
        rows = sandbox.traffic.send(*_filling(contract, target, again, slots, start_s, AGAIN_S))
        held = (*held, again)
        sandbox.note(held=held)
        if most_at_once(rows, pod.name, again, limits.rejects) >= slots:
            break
    return held


def _filling(
    contract: Contract, target: PodTarget, held: Held, slots: int, start_s: float, extra_for_s: float
) -> list[Load]:
    """A few more long cases than there are slots, together, and ordinary ones after them."""
    cases, count = workload.cases(contract), slots + MORE
    long = tuple(workload.long_case(contract, held.work_s + SPREAD_S * n / count) for n in range(count))
    first_s = start_s + EXTRA_AFTER_S
    extra = workload.steps(first_s, first_s + extra_for_s, EXTRA_EVERY_S)
    return [
        OpenLoop(HOLD, target, long, [start_s] * count, range(count), [held.index] * count, timeout_s=30.0),
        OpenLoop(
            EXTRA,
            target,
            cases,
            extra,
            workload.in_turn(len(extra), len(cases)),
            [held.index] * len(extra),
            timeout_s=30.0,
        ),
    ]


def _probing(sandbox: Sandbox, pod: Pod, first_s: float, probes: int) -> list[Load]:
    loads: list[Load] = []
    for kind in ("readiness", "liveness"):
        if probe := workload.probe(pod.spec, sandbox.context.contract.subject.container, kind):
            times = [first_s + n / PROBE_RPS for n in range(probes)]
            ask = (probe.exchange(kind, sandbox.context.probe_agent),)
            loads.append(OpenLoop(f"probe-{kind}", probe.target(pod), ask, times, timeout_s=probe.timeout_s))
    return loads


def _without_an_answer(contract: Contract, target: PodTarget, start_s: float, lone_s: float) -> list[Load]:
    """Requests that fail, and callers that leave amid the work, one at a time: they are to fill no slot for long."""
    cases = workload.cases(contract)
    loads: list[Load] = [
        OpenLoop(
            LEAVING,
            target,
            cases,
            [start_s + 2 * n * APART * lone_s for n in range(EACH)],
            workload.in_turn(EACH, len(cases)),
            timeout_s=30.0,
            abandon_after_s=lone_s / 2,
        )
    ]
    if contract.batching and contract.batching.poison:
        poison: tuple[Exchange, ...] = (workload.poison(contract),)
        arrivals_s = [start_s + (2 * n + 1) * APART * lone_s for n in range(EACH)]
        loads.append(OpenLoop(FAILING, target, poison, arrivals_s, timeout_s=10.0))
    return loads


def surely_at_once(ledger: Ledger, pod: str, held: Held) -> int:
    """How many requests the pod worked on at the same time, for certain.

    A long case that was answered before 1.5 times its work had passed waited for none of the others. So there is a time
    at which all of these were worked on; and so was, with them, an ordinary case that came and was answered within it.
    """
    rows = ledger.to(pod).in_group(held.index)
    hold, extra = rows.of(HOLD), rows.of(EXTRA)
    surely_s, took_s = SURELY_WORKED * held.work_s, hold.ended_s - hold.sent_s
    together = hold.select(hold.right & (took_s >= surely_s) & (took_s < LEAST_WAITED * held.work_s))
    if not len(together):
        return 0
    from_s, to_s = float(together.ended_s.max()) - surely_s, float(together.ended_s.min())
    within = extra.right & (extra.sent_s >= from_s) & (extra.ended_s <= to_s)
    worked_on = within & (extra.ended_s - extra.sent_s > MAYBE_CACHED_S)
    return len(together) + int(worked_on.any())


def most_at_once(ledger: Ledger, pod: str, held: Held, rejects: Iterable[Reject]) -> int:
    """How many requests the pod may have worked on at the same time: that were open, and not refused as declared.

    What was open when the first came counts throughout, wherever it came from.
    """
    rows = _filled(ledger, pod, held)
    if not len(rows):
        return 0
    start_s = float(rows.sent_s.min())
    others = ledger.select((ledger.sent_s < start_s) & ~(ledger.ended_s < start_s)).answered_by(pod, "")
    before = others.select(others.load != others.code("beacon"))
    worked_on = rows.select(~refused_as(rows, rejects))
    moments_s = np.sort(worked_on.sent_s)
    ended = np.searchsorted(np.sort(worked_on.ended_s), moments_s, side="left")
    at_once = np.arange(1, len(moments_s) + 1) - ended
    return int(at_once.max(initial=0)) + len(before)


def surely_full(ledger: Ledger, pod: str, held: Held, limit: Concurrency, limits: Limits) -> Ledger:
    """The requests that the concurrency limit refused, and no other limit may have."""
    rows = _filled(ledger, pod, held)
    refused = rows.select(refused_as(rows, [limit.reject]))
    return refused.select(~refused_as(refused, [limits.rate.reject])) if limits.rate else refused


def _filled(ledger: Ledger, pod: str, held: Held) -> Ledger:
    return ledger.to(pod).in_group(held.index).of(HOLD, EXTRA)
