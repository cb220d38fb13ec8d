"""The harness goes when the run does; that it cannot be deleted costs neither the first error nor what was judged."""

import pytest

from seatrial.clock import RunClock
from seatrial.errors import ClusterError
from seatrial.trials.harness import Harness


class Gone:
    def delete(self, path):
        raise ClusterError(f"no answer to DELETE {path}")


@pytest.mark.parametrize("first", [None, KeyboardInterrupt(), ClusterError("the node is gone")])
def test_a_harness_that_stays_is_told_and_hides_nothing(first):
    told = []
    harness = Harness(None, Gone(), RunClock.start(), "ab12", told.append)
    assert not harness.__exit__(type(first) if first else None, first, None)
    (said,) = told
    assert said.startswith("namespace seatrial-ab12-harness may be left, `seatrial clean` deletes it: no answer")
