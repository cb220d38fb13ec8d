"""What is tried with half of a drain budget, and where nothing can be."""

from types import SimpleNamespace

import pytest

from seatrial.contract import Contract, Drain, LongCase
from seatrial.errors import ClusterError
from seatrial.observation import Pod
from seatrial.traffic.plan import PodTarget
from seatrial.trials.shorter_drain import BEYOND, ShorterDrain, begin, changed_to, planned
from tests.helpers.observations import contract

LONG = LongCase.model_validate({"request": "{seconds}", "expect": 0})


def drain(budget_s):
    return Drain.model_validate({"budget_s": budget_s})


@pytest.mark.parametrize(
    ("promised", "half_s", "work_s"),
    [(6, 3, 5.5), (30, 15, 17.5), (7, 3, 5.5), (4, 2, 3.68), (2, 1, 1.84), (2.5, 1.25, 2.3)],
)
def test_the_work_is_between_half_of_the_budget_and_the_whole(promised, half_s, work_s):
    shorter = planned(drain({"value": "drain.seconds", "set": promised}), LONG, 60.0)
    assert (shorter.budget_s, shorter.work_s) == (half_s, pytest.approx(work_s))
    assert shorter.budget_s < shorter.decisive_s < shorter.work_s < promised


@pytest.mark.parametrize(
    ("promise", "long", "time_s"),
    [
        (None, LONG, 60.0),
        (drain(6), LONG, 60.0),
        (drain({"value": "drain.seconds", "set": 6}), None, 60.0),
        (drain({"value": "drain.seconds", "set": 1}), LONG, 60.0),
        (drain({"value": "drain.seconds", "set": 6}), LONG, 6.4),
    ],
    ids=["no drain", "no value governs it", "no long case", "too short to tell", "killed before"],
)
def test_where_nothing_can_be_told_nothing_is_tried(promise, long, time_s):
    assert planned(promise, long, time_s) is None


def test_a_pod_with_time_for_the_work_is_tried():
    assert planned(drain({"value": "drain.seconds", "set": 6}), LONG, 6.5) is not None


# before a sandbox


GOVERNED = {"budget_s": {"value": "drain.seconds", "set": 6}}
OLD, NEW = (
    tuple(Pod(f"{age}-{n}", f"10.0.0.{n}", "node", f"{age}-{n}", {}) for n in range(2)) for age in ("old", "new")
)


class Sandbox:
    """What is done to a release of two pods, in order; the clock stands still but for what is slept."""

    def __init__(self, promises: Contract, after=NEW, replaced=True, refuses=False):
        self.context = SimpleNamespace(contract=promises)
        self.release, self.traffic = self, self
        self._pods, self._after, self._replaced, self._refuses = OLD, after, replaced, refuses
        self.done, self.now_s = [], 100.0

    def workload(self):
        return self

    def pods(self):
        return self._pods

    def upgrade(self, values, *, replicas):
        if self._refuses:
            raise ClusterError("values don't meet the specifications of the schema")
        self.done.append(("upgrade", values, replicas))
        self._pods = self._after

    def wait_replaced(self, before, timeout_s):
        assert before == OLD
        return self._replaced

    def wait_pods(self, count, timeout_s):
        return self._pods

    def target(self, pod):
        return PodTarget(pod.name, pod.ip, 8080)

    def now(self):
        return self.now_s

    def sleep_until(self, at_s):
        self.now_s = at_s

    def start(self, load):
        self.done.append(("start", load))

    def delete(self, pod):
        self.done.append(("delete", pod.name))
        return self.now_s


@pytest.fixture
def promises():
    made = contract(drain=GOVERNED)
    asked = {"request": {"text": "slow {seconds}"}, "expect": {"answer": 0}}
    inference = made.inference.model_copy(update={"long": LongCase.model_validate(asked)})
    return made.model_copy(update={"inference": inference})


def test_the_release_gets_half_of_the_budget_beside_its_values(promises):
    sandbox = Sandbox(promises)
    shorter, pods = changed_to(sandbox, ShorterDrain(3.0, 5.5), {"drain": {"seconds": 6}, "a": 1}, 2)
    assert (shorter.replaced, shorter.refused, pods) == (True, "", NEW)
    assert sandbox.done == [("upgrade", {"drain": {"seconds": 3}, "a": 1}, 2)]


def test_pods_that_stay_are_known_to_have_stayed(promises):
    shorter, pods = changed_to(Sandbox(promises, after=OLD, replaced=False), ShorterDrain(3.0, 5.5), {}, 2)
    assert (shorter.replaced, pods) == (False, OLD)


def test_a_chart_that_refuses_half_of_the_budget_is_left_as_it_is(promises):
    shorter, pods = changed_to(Sandbox(promises, refuses=True), ShorterDrain(3.0, 5.5), {}, 2)
    assert (pods, "specifications" in shorter.refused) == ((), True)


def test_the_request_is_sent_before_sigterm_is_due_and_its_pod_is_deleted(promises):
    sandbox = Sandbox(promises)
    shorter = begin(sandbox, ShorterDrain(3.0, 5.5), NEW[1], prestop_s=2.0)
    (_, load), deleted = sandbox.done
    assert deleted == ("delete", "new-1")
    assert (load.name, load.target.pod, load.exchanges[0].body) == (BEYOND, "new-1", b'{"text": "slow 5.65"}')
    assert load.arrivals_s[0] == pytest.approx(shorter.sigterm_due_s + 0.1 - 0.15)
    assert (shorter.pod, shorter.sigterm_due_s - shorter.deleted_s) == ("new-1", 2.0)
