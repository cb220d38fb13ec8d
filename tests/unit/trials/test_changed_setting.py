"""A setting that is changed in mid-trial: the pods afterwards, and whether they are others than before."""

from types import SimpleNamespace

import pytest

from seatrial.observation import Pod
from seatrial.trials.changed_setting import REPLACED_WITHIN_S, Changed, changed

BEFORE = (Pod("a", "10.0.0.1", "node", "uid-1", {}),)
AFTER = (Pod("b", "10.0.0.2", "node", "uid-2", {}),)


class Sandbox:
    """One whose rollout comes, or does not."""

    def __init__(self, rolls_out):
        self.rolls_out = rolls_out
        self.done = []
        self.context = SimpleNamespace(contract=SimpleNamespace(ready_within_s=30.0))
        self.release = SimpleNamespace(upgrade=lambda values, replicas: self.done.append((values, replicas)))

    def workload(self):
        return self

    def wait_replaced(self, before, timeout_s):
        self.done.append((before, timeout_s))
        return self.rolls_out

    def wait_pods(self, count, timeout_s):
        self.done.append((count, timeout_s))
        return AFTER if self.rolls_out else BEFORE


@pytest.mark.parametrize(("rolls_out", "pods"), [(True, AFTER), (False, BEFORE)])
def test_the_pods_after_a_change_and_whether_it_replaced_those_before(rolls_out, pods):
    sandbox = Sandbox(rolls_out)
    assert changed(sandbox, {"rate": 20}, BEFORE, 1) == Changed(pods, rolls_out)
    assert sandbox.done == [({"rate": 20}, 1), (BEFORE, REPLACED_WITHIN_S), (1, 30.0)]
