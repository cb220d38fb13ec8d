"""Which size of batches is tried beside the declared one."""

from itertools import pairwise
from types import SimpleNamespace

import pytest

from seatrial.contract import Governed
from seatrial.errors import ClusterError
from seatrial.observation import Pod, Scrape
from seatrial.trials.changed_setting import Changed
from seatrial.trials.second_size import changed_to_smaller, second_size, tells_apart
from seatrial.watch.metrics import Bucket, Sizes
from tests.helpers.observations import METRICS, Counters, contract

POWERS = (1, 2, 4, 8, 16, 32, 64)


@pytest.mark.parametrize(
    ("declared", "bounds", "size"),
    [
        (8, POWERS, 3),
        (64, POWERS, 3),
        (4, POWERS, 3),
        (12, POWERS, 3),
        (32, range(1, 33), 15),
        (10, (1, 5, 10, 25), 5),
        (12, (1, 6, 12), 6),
        (14, (1, 6, 9, 14), 9),
        (4, (1, 2, 3, 4, 8), 3),
    ],
)
def test_it_is_no_power_of_two_and_odd_where_the_histogram_can_tell_it(declared, bounds, size):
    assert second_size(declared, [*bounds, float("inf")]) == size


@pytest.mark.parametrize(
    ("declared", "bounds", "size"),
    [
        (8, (), 4),
        (16, (4, 8, 16), 8),
        (3, POWERS, 1),
        (2, POWERS, 1),
        (1, POWERS, 0),
    ],
    ids=["no metric", "wide buckets", "three is one itself", "two", "one"],
)
def test_else_it_is_half(declared, bounds, size):
    assert second_size(declared, bounds) == size


@pytest.mark.parametrize("declared", range(4, 65))
def test_what_rounds_up_to_a_power_of_two_or_to_pairs_is_seen_at_the_second_size_if_not_at_the_first(declared):
    size = second_size(declared, POWERS)
    for rounded in (lambda n: 1 << (n - 1).bit_length(), lambda n: n + n % 2):
        assert rounded(size) > size


def seen(*sizes):
    edges = pairwise((0, 1, 2, 4, 8))
    buckets = tuple(Bucket(over, upto, sum(over < size <= upto for size in sizes)) for over, upto in edges)
    return Sizes(len(sizes), sum(sizes), buckets)


def test_three_is_told_from_four_by_the_sum_where_one_and_two_have_buckets():
    assert tells_apart(3, POWERS)
    assert seen(3, 3, 2, 1, 3).none_above(3)
    assert not seen(3, 3, 2, 1, 4).none_above(3)
    assert seen(3, 4).at_least(4) == 1
    assert not tells_apart(5, POWERS)
    assert not seen(5, 5, 4).none_above(5), "a three, a five and a six look the same"


# before a sandbox

PODS = (Pod("a", "10.0.0.1", "node", "uid-1", {}),)


class Sandbox:
    """A release of one pod that takes some sizes and refuses others."""

    def __init__(self, *refused, scrapes=None):
        self.refused, self.tried = refused, []
        self.context = SimpleNamespace(contract=contract(metrics=METRICS))
        self.traffic = SimpleNamespace(scrapes=(Counters().scrape(1.0),) if scrapes is None else scrapes)
        self.release = SimpleNamespace(upgrade=self.upgrade)

    def upgrade(self, values, replicas):
        assert (values["delay"], replicas) == (80, 1)
        self.tried.append(size := values["batch"]["max"])
        if size in self.refused:
            raise ClusterError("refused")

    def workload(self):
        return SimpleNamespace(wait_replaced=lambda before, within_s: True, wait_pods=lambda count, within_s: PODS)


def asked(sandbox, most=8):
    return changed_to_smaller(sandbox, Governed(value="batch.max", set=most), {"delay": 80}, PODS)


def test_a_release_gets_the_second_size_beside_its_values():
    sandbox = Sandbox()
    assert (asked(sandbox), sandbox.tried) == ((3, Changed(PODS, True)), [3])


def test_without_a_scrape_that_was_answered_it_gets_half():
    for scrapes in ((), (Scrape(1.0, "a", 500, "", 0.001),)):
        assert asked(Sandbox(scrapes=scrapes))[0] == 4


def test_a_chart_that_takes_powers_of_two_only_gets_half():
    sandbox = Sandbox(3)
    assert (asked(sandbox), sandbox.tried) == ((4, Changed(PODS, True)), [3, 4])


@pytest.mark.parametrize(("most", "tried"), [(8, [3, 4]), (2, [1])])
def test_a_chart_that_takes_no_other_size_is_an_error(most, tried):
    sandbox = Sandbox(1, 3, 4)
    with pytest.raises(ClusterError):
        asked(sandbox, most)
    assert sandbox.tried == tried
