"""What fills the slots of a pod, how often, and what comes in between; on a made-up pod."""

import math
from itertools import pairwise
from types import SimpleNamespace

import pytest

from seatrial.ledger import ledger
from seatrial.observation import Pod
from seatrial.traffic.plan import PodTarget
from seatrial.trials.ablation import Ablation
from seatrial.trials.held_slots import (
    EACH,
    EXTRA,
    FAILING,
    HOLD,
    LEAVING,
    MORE,
    NO_SLOT_HELD,
    fill,
    most_at_once,
    surely_at_once,
)
from tests.helpers.batches import BATCHING
from tests.helpers.drains import request
from tests.helpers.observations import contract
from tests.helpers.overloads import CONCURRENCY, SPEC, refusal
from tests.helpers.slots import Replica

POD, SLOTS, CASE_S = Pod("a", "10.0.0.1", "node", "a", SPEC), 4, 0.15
LONG = {"request": {"seconds": "{seconds}"}, "expect": {"answer": "{seconds}"}}


class Sandbox:
    """A pod with a replica in it; requests are answered at once, and the clock is where the last of them ended."""

    def __init__(self, replica, lone_s=CASE_S, poison=True, ablation=None):
        agreed = contract(
            probes={"liveness": "probes.liveness"},
            limits={"concurrency": {**CONCURRENCY, "limit": SLOTS, "reject_within_s": 0.75}},
            **({"batching": BATCHING} if poison else {}),
        )
        asked = {**agreed.inference.model_dump(), "long": LONG}
        self.context = SimpleNamespace(
            contract=agreed.model_validate({**agreed.model_dump(), "inference": asked}), probe_agent="kube-probe/1.34"
        )
        self.replica, self.ablation, self.at_s = replica, ablation, 100.0
        self.sent, self.rows, self.noted = [], [], []
        self.traffic = SimpleNamespace(send=self.send, lone_s=lone_s)

    def now(self):
        return self.at_s

    def workload(self):
        return SimpleNamespace(target=lambda pod: PodTarget(pod.name, pod.ip, 8080))

    def note(self, held):
        self.noted.append(held)

    def send(self, *loads):
        loads = self.ablation.loads(list(loads)) if self.ablation else loads
        self.sent.append(loads)
        arrivals = []
        for load in loads:
            if load.name in (HOLD, EXTRA):
                for at_s, pick, group in zip(load.arrivals_s, load.picks, load.groups, strict=True):
                    given = request(load.name, float(at_s), group=group, case=load.exchanges[pick].case)
                    arrivals.append((given, float(given["case"].split("-")[1]) if load.name == HOLD else CASE_S))
            self.at_s = max(self.at_s, *load.arrivals_s)
        found = list(self.replica.rows(arrivals, refusal))
        self.rows += found
        self.at_s = max([self.at_s, *(row["ended_s"] for row in found)])
        return ledger(found)

    def load(self, name, time=0):
        return [load for loads in self.sent for load in loads if load.name == name][time]


def filled(sandbox):
    return fill(sandbox, POD, SLOTS, 120)


def test_the_slots_are_filled_for_eight_seconds_and_once_more():
    sandbox = Sandbox(Replica(SLOTS))
    held = filled(sandbox)
    assert [(each.index, each.work_s) for each in held] == [(0, 8.0), (1, pytest.approx(2.65))]
    assert sandbox.noted == [held[:1], held]
    for each in held:
        seen = ledger(sandbox.rows)
        rejects = sandbox.context.contract.limits.rejects
        assert (surely_at_once(seen, "a", each), most_at_once(seen, "a", each, rejects)) == (SLOTS, SLOTS)
    assert not len(ledger(sandbox.rows).of(EXTRA).select(ledger(sandbox.rows).of(EXTRA).right))


def test_more_long_cases_than_slots_come_together_and_none_is_like_another():
    sandbox = Sandbox(Replica(SLOTS))
    filled(sandbox)
    for time in (0, 1):
        hold, extra = sandbox.load(HOLD, time), sandbox.load(EXTRA, time)
        assert len(set(hold.arrivals_s)) == 1
        assert len({exchange.body for exchange in hold.exchanges}) == len(hold.arrivals_s) == SLOTS + MORE
        assert sorted(hold.picks) == list(range(SLOTS + MORE))
        assert set(hold.groups) == set(extra.groups) == {time}
        assert min(extra.arrivals_s) > hold.arrivals_s[0]


def test_probes_are_sent_the_first_time_only_while_the_slots_are_held():
    sandbox = Sandbox(Replica(SLOTS))
    filled(sandbox)
    probes, extra = sandbox.load("probe-liveness"), sandbox.load(EXTRA)
    assert len(probes.arrivals_s) == 120
    assert min(extra.arrivals_s) < min(probes.arrivals_s) < max(probes.arrivals_s) < max(extra.arrivals_s)
    assert [len([load for load in loads if load.name.startswith("probe-")]) for loads in sandbox.sent] == [1, 0, 0]


@pytest.mark.parametrize("lone_s", [0.002, 0.15, 4.0])
def test_callers_leave_and_requests_fail_one_at_a_time_and_the_pod_is_left_alone_after_them(lone_s):
    sandbox = Sandbox(Replica(SLOTS), lone_s)
    filled(sandbox)
    leaving, failing, again = sandbox.load(LEAVING), sandbox.load(FAILING), sandbox.load(HOLD, 1)
    assert len(leaving.arrivals_s) == len(failing.arrivals_s) == EACH
    assert leaving.abandon_after_s <= max(lone_s, 0.02) / 2
    at_s = sorted([*leaving.arrivals_s, *failing.arrivals_s])
    assert min(later - one for one, later in pairwise(at_s)) >= lone_s
    assert again.arrivals_s[0] - at_s[-1] >= max(1.0, 4 * lone_s)


def test_without_a_request_that_fails_callers_leave_all_the_same():
    sandbox = Sandbox(Replica(SLOTS), poison=False)
    assert len(filled(sandbox)) == 2
    assert {load.name for load in sandbox.sent[1]} == {LEAVING}


def test_a_service_that_answered_no_lone_request_is_asked_at_its_pace_nevertheless():
    sandbox = Sandbox(Replica(SLOTS), float("nan"))
    assert len(filled(sandbox)) == 2
    assert all(math.isfinite(at_s) for at_s in sandbox.load(LEAVING).arrivals_s)


@pytest.mark.parametrize("slots", [0, SLOTS - 1])
def test_where_fewer_are_let_in_the_second_time_the_pod_is_left_alone_and_a_third_decides(slots):
    sandbox = Sandbox(Replica(slots))
    assert [each.index for each in filled(sandbox)] == [0, 1, 2]
    assert len(sandbox.noted) == 3
    assert sandbox.load(HOLD, 2).arrivals_s[0] - max(sandbox.load(EXTRA, 1).arrivals_s) >= 10 * CASE_S


def test_more_than_declared_are_no_reason_to_look_again():
    assert len(filled(Sandbox(Replica(SLOTS + 3)))) == 2


def test_without_the_stimulus_nothing_is_held():
    assert isinstance(NO_SLOT_HELD, Ablation)
    sandbox = Sandbox(Replica(SLOTS), ablation=NO_SLOT_HELD)
    held = filled(sandbox)
    assert {load.name for loads in sandbox.sent for load in loads} == {"probe-liveness", LEAVING, FAILING}
    assert [most_at_once(ledger([]), "a", each, ()) for each in held] == [0, 0, 0]
