"""A request that fails takes no other of its batch with it, and hears of its failure itself.

A good answer is right, and in time where the API has a deadline: what is worked on again late helps nobody.
Source: contract `batching.poison`, a request that fails on its own and how it is answered; `inference.deadline_s`.
"""

import json

import numpy as np

from seatrial.contract import Api, Metrics, Poison
from seatrial.ledger import Ledger, Request
from seatrial.observation import STOOD_STILL_S
from seatrial.stats.proportions import zero_event_bound
from seatrial.suite import check
from seatrial.traffic.answers import contains
from seatrial.trials.batch_delay import LONE
from seatrial.trials.batching import AFTER, AFTERWARDS, ALONE, GOOD, NOTHING_FAILS, POISON, Batches, Round
from seatrial.verdict import Ground, Measurement, Verdict
from seatrial.watch.metrics import around, sizes
from seatrial.watch.pods import restarts

WANTED_ROUNDS, WANTED_SHARED, NEIGHBOURS = 9, 6, 3
MOST_OF_TIME = 0.6  # of that one by one: what was faster was worked on together


@check("B5", level="MUST", ablation=NOTHING_FAILS)
def poison_fails_alone(poison: Poison, api: Api, metrics: Metrics | None, batches: Batches) -> Verdict:
    if doubt := undeclared(poison, batches):
        return doubt
    good, after = (batches.ledger.of(stream).to(batches.pod) for stream in (GOOD, AFTER))
    poisoned = batches.ledger.of(POISON).to(batches.pod)
    restarted = restarts(batches.timeline.changes, batches.subject).get(batches.pod, 0)
    delayed = late(api, batches, good)
    again = len(set(delayed.group.tolist())) > 1  # in one round, something else may have held it up
    hurt = good.select(~good.right | (np.isin(good.row, delayed.row) & again))
    astray = [row for row in poisoned if not as_declared(poison, row)]
    wrong = after.select(~after.right)
    ground = Ground(n=len(good) + len(poisoned) + len(after))
    if len(hurt) or astray or len(wrong) or restarted:
        first = next(iter([*hurt, *astray, *wrong]), None)
        whose = f"; the first, in round {first.group}, {how(first)}" if first else ""
        facts = [f"round {row.group}: {row.case} {how(row)}" for row in [*hurt, *astray][:5]]
        return ground.with_(evidence=facts).failed(
            f"{len(good)} good requests right{in_time(api)}, {len(poisoned)} failing ones answered {poison.status}, "
            "no restart",
            f"{len(hurt)} good ones lost, wrong or late, {len(astray)} failing ones answered otherwise, "
            f"{len(wrong)} of the {len(after)} afterwards not right, {restarted} restarts{whose}",
            "catch what a single item raises inside the batch, give it to that item's caller only, "
            "and let the others wait for nothing",
            rows=[*hurt, *astray, *wrong],
        )
    if len(delayed):
        return ground.inconclusive(
            f"every good request right{in_time(api)}",
            f"{len(delayed)} of {len(good)} later, all in round {int(delayed.group[0])}",
            "run again: one round may have been held up by the machine",
            rows=delayed,
        )
    singles = [round for round in batches.rounds if len(round.poisons) == 1]
    shared = [round for round in singles if together(metrics, batches, round)]
    if len(singles) < WANTED_ROUNDS or len(shared) < WANTED_SHARED or len(after) < AFTERWARDS:
        return Ground(n=len(shared)).inconclusive(
            f"the failing request in a batch with {NEIGHBOURS} or more others in {WANTED_SHARED} of {WANTED_ROUNDS} "
            f"rounds, and {AFTERWARDS} requests after them",
            f"for certain in {len(shared)} of {len(singles)}, and {len(after)}",
            "see why batches do not form (B2)",
        )
    bound = zero_event_bound(len(good))
    none_hurt = Measurement("neighbours hurt", 0, n=len(good), low=0.0, high=bound, confidence=0.95, limit="= 0")
    return ground.with_(measurements=[none_hurt]).passed(
        f"good requests right{in_time(api)} beside {len(poisoned)} failing ones, answered {poison.status}; no restart",
        f"{len(good)} of {len(good)}; {len(shared)} of {len(singles)} rounds in one batch; the next {len(after)} right",
        detects=f"{bound:.1%} of the neighbours hurt, at 95% confidence; first, middle and last places",
    )


def late(api: Api, batches: Batches, good: Ledger) -> Ledger:
    """The right answers after the API's deadline, but for those beside which the machine stood still."""
    deadline_s = api.deadline_s or float("inf")
    after_it = good.select(good.right & (good.ended_s - good.sent_s > deadline_s))
    return after_it.select(~batches.held_up(after_it, STOOD_STILL_S))


def in_time(api: Api) -> str:
    """What is asked of their times, for a sentence; "" where the API has no deadline."""
    return f" within {api.deadline_s:g} s" if api.deadline_s else ""


def undeclared(poison: Poison, batches: Batches) -> Verdict | None:
    """Why the failing request is none, if it is not: alone, it is not answered as declared."""
    alone = batches.ledger.of(ALONE).to(batches.pod)
    if len(alone) and all(as_declared(poison, row) for row in alone):
        return None
    return Ground(n=0).inconclusive(
        f"the failing request answered with {poison.status}, as declared, when it is alone",
        ", ".join(sorted({row.error or str(row.status) for row in alone})) or "not sent",
        "correct batching.poison in the contract",
    )


def as_declared(poison: Poison, row: Request) -> bool:
    """The failing request's own answer."""
    if row.error or row.status != poison.status:
        return False
    if poison.body is None:
        return True
    try:
        return contains(json.loads(row.body), poison.body)
    except ValueError:
        return False


def together(metrics: Metrics | None, batches: Batches, round: Round) -> bool:
    """The whole round was one batch, for certain; where nothing counts sizes, the time says so."""
    if round.size <= NEIGHBOURS:
        return False
    metric = metrics.batch_size if metrics else ""
    if metric:
        pair = around(batches.scrapes, batches.pod, round.span.start_s, round.span.end_s)
        seen = sizes(*pair, metric) if pair else None
        return seen is not None and seen.at_least(round.size) > 0
    rows = batches.ledger.of(GOOD, POISON).to(batches.pod).in_group(round.index)
    return took_s(rows) <= MOST_OF_TIME * round.size * work_s(batches)


def took_s(rows: Ledger) -> float:
    """From the first sent to the last answered."""
    return float(rows.ended_s.max() - rows.sent_s.min()) if len(rows) else float("inf")


def work_s(batches: Batches) -> float:
    """What a lone request takes for certain: its median, without the delay for which it may have waited."""
    rows = batches.ledger.of(LONE).to(batches.pod)
    return max(0.0, float(np.median(rows.latency_s)) - batches.delay_s) if len(rows) else 0.0


def how(row: Request) -> str:
    """What became of a request."""
    if row.right:
        return f"answered after {row.ended_s - row.sent_s:.2f} s"
    return row.error or f"answered {row.status}, not its own answer"
