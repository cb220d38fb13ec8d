"""What speaks for itself fails whatever the count; counts only guard a pass.

Each row: too little was seen to pass, once with a single failure in it and once without.
"""

from dataclasses import replace

import pytest

from seatrial.ledger import ledger
from seatrial.observation import Change
from seatrial.trials.overload import OVER, RECOVERY
from seatrial.trials.pod_deletion import REQUESTS
from seatrial.trials.rate_limit import SATURATE
from seatrial.trials.weights import ASKED
from seatrial.verdict import Outcome
from tests.helpers.batches import as_rows, batching, concurrent_load, loop_rows
from tests.helpers.drains import DRAIN, deletion, pod, reset
from tests.helpers.observations import contract, judged, lost, row
from tests.helpers.overloads import CONCURRENCY, broken, late, overload
from tests.helpers.rate_limits import LIMIT, bucket, patience, rate_limited
from tests.unit.conformance.test_autoscaling import autoscaler, promised, scaled
from tests.unit.conformance.test_batching_delay import waiting
from tests.unit.conformance.test_weights import broken as weights_broken
from tests.unit.conformance.test_weights import promised as weights_promised

FAIL, INCONCLUSIVE = Outcome.FAIL, Outcome.INCONCLUSIVE
SLOTS = contract(drain=DRAIN, limits={"concurrency": CONCURRENCY})
RATE = contract(limits={"rate": LIMIT})


def few_slots(*, cut):
    """Six requests in flight in each round, as a service of six slots has them; all of them lost, or none."""
    left = {}

    def change(made, round):
        if made["load"] not in ("short", "long") or not made["sent_s"] <= round.told_s - 0.02 < made["ended_s"]:
            return made if made["load"] in ("connect", "undisturbed") else None
        left[round.index] = left.get(round.index, 0) + 1
        if left[round.index] > 6:
            return None
        return reset(made, round.told_s + 0.01) if cut else made

    return deletion(change=change)


def no_work(**how):
    """Nothing was in flight when the pods were told to stop."""
    return deletion(change=lambda made, round: None if made["load"] in REQUESTS else made, **how)


def one_round_unseen(**how):
    """Of the first victim's connects there are hardly any; the other pods left as `how` says."""

    def change(made, round):
        few = made["load"] == "connect" and round.index == 0 and made["sent_s"] > round.deleted_s
        return None if few else made

    return deletion(change=change, **how)


def hardly_any_overload(becomes, load=OVER, since_s=0.0):
    """The first row of a load, around what was no overload, is otherwise."""
    count = iter(range(10**9))

    def change(made):
        chosen = made["load"] == load and made["sent_s"] >= since_s and next(count) == 0
        return becomes(made) if chosen else made

    return overload(offered=0.5, change=change)


def half_late(**how):
    """Every other answer of the overload comes too late to be of use."""
    count = iter(range(10**9))

    def change(made):
        chosen = made["load"] == OVER and made["correct"] == 1 and next(count) % 2
        return late(made, 3.0) if chosen else made

    return overload(change=change, **how)


def unready(at_s):
    item = pod("a")
    item["status"]["conditions"][0]["status"] = "False"
    return (Change(at_s, "Pod", "MODIFIED", "a", item),)


def little_demand(*, wrong):
    """A demand of 2.5 times the rate; one row of it is an error."""
    count = iter(range(10**9))

    def change(made):
        chosen = wrong and made["load"] == SATURATE and next(count) == 100
        return {**made, "status": 500, "correct": 0} if chosen else made

    return rate_limited(demand=2.5, change=change)


def few_answers(*sizes):
    return concurrent_load(loop_rows(80), loop=sizes)


def hung_twice(*, hung):
    """No full batch was right; a lone request of each look never came back."""
    seen = waiting(looks=2, full=0)
    if not hung:
        return seen
    rows = [lost(one, "timeout") if one["scheduled_s"] in (100.0, 200.0) else one for one in as_rows(seen.ledger)]
    return replace(seen, ledger=ledger(rows))


@pytest.mark.parametrize(
    ("id", "promises", "failing", "silent"),
    [
        ("D1", SLOTS, few_slots(cut=True), few_slots(cut=False)),
        ("D5", SLOTS, no_work(exit_codes=(137,)), no_work()),
        ("D4", SLOTS, one_round_unseen(closed_s=0.5), one_round_unseen()),
        ("D7", SLOTS, no_work(grace_s=6.0), no_work()),
        ("L1", SLOTS, hardly_any_overload(lambda made: {**made, "status": 500, "correct": 0}), overload(offered=0.5)),
        (
            "L1",
            SLOTS,
            overload(offered=0.5, change=lambda made: late(made, 4.0) if made["load"] == OVER else made),
            overload(offered=0.5),
        ),
        ("L8", SLOTS, hardly_any_overload(broken, RECOVERY, 101.0), overload(offered=0.5)),
        ("L8", SLOTS, overload(offered=0.5, changes=unready(101.0)), overload(offered=0.5)),
        ("P5", SLOTS, overload(offered=0.5, changes=unready(60.0)), overload(offered=0.5)),
        ("L6", SLOTS, half_late(closed_s=(10.0, 25.0)), overload(closed_s=(10.0, 25.0))),
        ("L2", RATE, rate_limited(waits=patience(admitted=False)[:3]), rate_limited(waits=patience()[:3])),
        ("L3", RATE, little_demand(wrong=True), little_demand(wrong=False)),
        ("L3", RATE, rate_limited(demand=2.5, admits=bucket(factor=1.2)), little_demand(wrong=False)),
        (
            "P2",
            weights_promised(),
            weights_broken(polls=100, rows=[row(ASKED, 30, group=1)]),
            weights_broken(polls=100),
        ),
        (
            "P2",
            weights_promised(),
            weights_broken(install_s=0.0, rows=[row(ASKED, 30, group=1)]),
            weights_broken(install_s=0.0),
        ),
        ("B2", batching(), few_answers(*(1,) * 80), few_answers(*(8,) * 10)),
        ("B4", batching(), hung_twice(hung=True), hung_twice(hung=False)),
        ("A6", promised(), scaled(run=(), replicas=((5, 1), (60, 4))), scaled(run=(), replicas=((5, 1), (60, 3)))),
        (
            "A6",
            promised(),
            scaled(run=(), extra=(autoscaler(20, 1, 6, 1, name="other"), autoscaler(20, 1, 6, 1)), replicas=((5, 1),)),
            scaled(run=(), replicas=((5, 1),)),
        ),
    ],
    ids=[
        "D1 18 of 18 lost",
        "D5 a kill of a pod without work",
        "D4 a socket closed early, another round unseen",
        "D7 a grace period too short, nothing near the budget",
        "L1 an undeclared 500",
        "L1 late answers",
        "L8 an error afterwards",
        "L8 a pod that stays unready",
        "P5 an unready pod",
        "L6 half of the goodput in a short run",
        "L2 three waits too short",
        "L3 an error",
        "L3 a fifth too much",
        "P2 an answer, few polls",
        "P2 an answer, no install timed",
        "B2 batches of one, 80 answers",
        "B4 hung in both looks",
        "A6 above the maximum, no sync",
        "A6 two autoscalers",
    ],
)
def test_a_failure_that_was_seen_is_one_however_little_else_was(id, promises, failing, silent):
    assert judged(id, promises, failing).outcome is FAIL
    assert judged(id, promises, silent).outcome is INCONCLUSIVE
