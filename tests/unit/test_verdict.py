"""What a verdict carries, and the ground that it is given on."""

import pytest

from seatrial.ledger import ledger
from seatrial.verdict import Ground, Measurement, failed, inconclusive, passed

SLOWEST = Measurement("slowest", 1.0, "s")
ROWS = ledger([{}, {}, {}])


def test_a_ground_carries_what_was_known_when_the_verdict_was_given():
    counted = Ground(n=3)
    measured = counted.with_(measurements=[SLOWEST], evidence=["a fact"])
    assert counted.failed("a", "b", "c") == failed("a", "b", "c", n=3)
    given = {"n": 3, "measurements": [SLOWEST], "evidence": ["a fact"]}
    assert measured.passed("a", "b", detects="d") == passed("a", "b", detects="d", **given)
    assert measured.failed("a", "b", "c", rows=ROWS) == failed("a", "b", "c", rows=ROWS, **given)
    assert measured.inconclusive("a", "b", "c", rows=ROWS, blocked_by="P1") == inconclusive(
        "a", "b", "c", rows=ROWS, blocked_by="P1", **given
    )


@pytest.mark.parametrize(("before", "more", "after"), [(None, 0, None), (0, 0, 0), (None, 2, 2), (3, 2, 5), (3, 0, 3)])
def test_a_ground_grows_by_what_was_seen(before, more, after):
    grown = Ground(before, evidence=("first",)).with_(n=more, evidence=["second"])
    assert (grown.n, grown.evidence) == (after, ("first", "second"))
