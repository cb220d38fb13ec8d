"""The harness goes when the run does; that it cannot be deleted never hides why the run ended."""

import pytest

from seatrial.clock import RunClock
from seatrial.errors import ClusterError
from seatrial.trials.harness import Harness


class Gone:
    def delete(self, path):
        raise ClusterError(f"no answer to DELETE {path}")


@pytest.fixture
def harness():
    return Harness(None, Gone(), RunClock.start(), "ab12")


def test_the_first_error_is_the_one_that_is_raised(harness):
    first = KeyboardInterrupt()
    assert harness.__exit__(KeyboardInterrupt, first, None) is None


def test_a_harness_that_stays_after_a_good_run_is_told(harness):
    with pytest.raises(ClusterError, match="seatrial-ab12-harness"):
        harness.__exit__(None, None, None)
