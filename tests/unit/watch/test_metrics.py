"""What a histogram of sizes proves, and what it leaves open."""

import math

import pytest

from seatrial.observation import Scrape
from seatrial.watch.metrics import Bucket, Sizes, around, bounds_of, counted, sizes, totals

BOUNDS = (1, 2, 4, 8, 16)


def exposition(*sizes: int, name: str = "batch", route: str = "/a") -> str:
    """A histogram that observed these sizes, as prometheus_client writes it, and a counter of them."""
    lines = [f"# TYPE {name} histogram"]
    for bound in (*BOUNDS, math.inf):
        text = "+Inf" if math.isinf(bound) else f"{bound}.0"
        lines.append(f'{name}_bucket{{route="{route}",le="{text}"}} {sum(size <= bound for size in sizes)}.0')
    lines += [f'{name}_count{{route="{route}"}} {len(sizes)}.0', f'{name}_sum{{route="{route}"}} {sum(sizes)}.0']
    return "\n".join([*lines, "# TYPE runs_total counter", f"runs_total {len(sizes)}.0", ""])


def scrape(at_s: float, text: str, pod: str = "a", status: int = 200) -> Scrape:
    return Scrape(at_s, pod, status, text, 0.01)


def seen(*observed: int) -> Sizes:
    found = sizes(scrape(1, exposition(8, 8)), scrape(2, exposition(8, 8, *observed)), "batch")
    assert found is not None
    return found


def test_sizes_between_two_scrapes_leave_out_what_was_before():
    """Only the rise counts."""
    found = seen(1, 3)
    assert (found.runs, found.items) == (2, 4)
    assert [bucket.count for bucket in found.buckets] == [1, 0, 1, 0, 0, 0]


def test_where_buckets_end():
    assert bounds_of(scrape(1, exposition(3)), "batch") == (1, 2, 4, 8, 16, math.inf)
    assert bounds_of(scrape(1, exposition(3)), "runs_total") == ()
    assert bounds_of(scrape(1, "<html>"), "batch") == ()


def test_labels_are_summed():
    """Two routes are one service."""
    text = exposition(1, 2) + exposition(4, route="/b")
    assert totals(text, "batch")["batch_count"] == 3


@pytest.mark.parametrize(
    ("observed", "size", "proven"),
    [
        ((8, 8, 8), 8, 3),
        ((7, 7, 7), 8, 0),
        ((8, 5), 8, 0),
        ((8, 8, 1), 8, 2),
        ((16,), 8, 1),
        ((2, 2), 2, 2),
        ((), 8, 0),
    ],
)
def test_full_batches_are_counted_only_as_far_as_the_sum_proves_them(observed, size, proven):
    """8 and 5 could as well be 7 and 6."""
    assert seen(*observed).at_least(size) == proven


def test_beyond_the_last_bound_one_run_is_proven_at_most():
    """A bucket without an upper bound could hold the whole excess in one run."""
    assert seen(20, 20).at_least(18) == 1


@pytest.mark.parametrize(
    ("observed", "size", "certain"),
    [
        ((8, 8), 8, True),
        ((9,), 8, False),
        ((6,), 6, True),
        ((8, 5), 7, False),
        ((5, 5), 6, True),
        ((20, 20), 20, False),
    ],
)
def test_none_above_is_said_only_when_a_bound_or_the_sum_says_so(observed, size, certain):
    """6 alone, in the bucket up to 8, is known by the sum; 8 and 5 could as well be 7 and 6."""
    assert seen(*observed).none_above(size) == certain


def test_a_fallen_counter_says_nothing():
    """A server that began anew has lost its count."""
    assert sizes(scrape(1, exposition(8, 8)), scrape(2, exposition(8)), "batch") is None
    assert counted(scrape(1, exposition(8, 8)), scrape(2, exposition(8)), "runs_total") is None


def test_a_metric_that_is_not_there_says_nothing():
    """Neither does a page that is no exposition."""
    assert sizes(scrape(1, "x"), scrape(2, exposition(8)), "batch") is None
    assert counted(scrape(1, exposition()), scrape(2, exposition()), "other_total") is None
    assert totals("<html>", "batch") == {}


def test_a_window_is_held_by_the_nearest_answered_scrapes_of_its_pod():
    """An unanswered one, or another pod's, does not count."""
    first, last = scrape(1.0, ""), scrape(6.0, "")
    others = [scrape(2.0, "", status=0), scrape(3.0, "", pod="b"), scrape(5.5, "", status=500), scrape(9.0, "")]
    assert around([scrape(0.5, ""), first, *others[:3], last, others[3]], "a", 4.0, 5.0) == (first, last)
    assert around([first], "a", 4.0, 5.0) is None


def test_mean_and_kinds():
    """Kinds are buckets: 5 and 8 are one."""
    found = seen(8, 5, 1)
    assert (found.kinds(), round(found.mean, 2)) == (2, 4.67)
    assert Sizes(0, 0, ()).mean != Sizes(0, 0, ()).mean
    assert Bucket(4, 8, 1).least == 5
