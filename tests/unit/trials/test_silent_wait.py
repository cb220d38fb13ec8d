"""Limiters that are taken at their word, on a clock that is made up, and what L2 says of them."""

import json
import math
from email.utils import formatdate
from types import SimpleNamespace

import pytest

from seatrial.errors import ClusterError
from seatrial.traffic.plan import PodTarget
from seatrial.trials.silent_wait import Limiter, silent_wait
from seatrial.trials.slow_refill import LAST_ASKED, READY_WITHIN_S, SLOW_PER_SECOND, SlowRelease
from seatrial.verdict import Outcome
from tests.helpers import limiters
from tests.helpers.limiters import WALL_ORIGIN_S, whole_seconds
from tests.helpers.observations import contract, judged
from tests.helpers.rate_limits import BURST, LIMIT, rate_limited

CONTRACT = contract(limits={"rate": LIMIT})
POD = PodTarget("s", "10.0.0.9", 8080)


def sandbox_of(header, rate=SLOW_PER_SECOND):
    """A sandbox whose traffic meets one limiter."""
    made = limiters.Sandbox(limiters.context(CONTRACT), "rate")
    made.traffic.limiters[POD.pod] = limiters.Limiter(rate, BURST, header)
    return made


class Slow:
    """The sandbox of a slow release, whose pod is Ready unless it is said to be not."""

    namespace = "ns-slow"

    def __init__(self, ready=True):
        self.ready = ready

    def workload(self):
        return self

    def wait_pods(self, count, timeout_s):
        assert (count, timeout_s) == (1, READY_WITHIN_S)
        if not self.ready:
            raise ClusterError("ns-slow: expected 1 Ready pods, found 0; it ended with 1 (Error)")
        return (SimpleNamespace(name=POD.pod),)

    def target(self, pod):
        assert pod.name == POD.pod
        return POD


def a_date(wait_s, at_s):
    return formatdate(math.ceil(WALL_ORIGIN_S + at_s + wait_s), usegmt=True)


def with_jitter():
    turns = iter(range(10**9))
    return lambda wait_s, at_s: str(math.ceil(wait_s) + next(turns) % 2)


def counting_down():
    state = {"said": 0, "at_s": -math.inf}

    def header(wait_s, at_s):
        state["said"] = max(1, state["said"] - 1 if at_s - state["at_s"] < 1 else math.ceil(wait_s))
        state["at_s"] = at_s
        return str(state["said"])

    return header


def slow_refill(header, rounds=4):
    made_up = sandbox_of(header)
    return SlowRelease(Slow(), "").taken_at_its_word(made_up, BURST, rounds), made_up.traffic


@pytest.mark.parametrize("header", [whole_seconds, a_date, with_jitter()], ids=["seconds", "a date", "jitter"])
def test_an_honest_limiter_passes_at_the_third_rate(header):
    slow, _ = slow_refill(header)
    assert len(slow.waits) == 4
    assert judged("L2", CONTRACT, rate_limited(slow=slow)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "header",
    [
        lambda wait_s, at_s: "1",
        lambda wait_s, at_s: "2",
        counting_down(),
        lambda wait_s, at_s: "3600",
        lambda wait_s, at_s: str(math.floor(wait_s)),
    ],
    ids=["one second", "two seconds", "counting down", "an hour", "rounded down"],
)
def test_a_limiter_whose_promise_does_not_follow_from_the_rate_fails(header):
    slow, _ = slow_refill(header)
    assert judged("L2", CONTRACT, rate_limited(slow=slow)).outcome is Outcome.FAIL


def test_the_true_wait_is_above_two_seconds_and_the_last_of_several_refusals_counts():
    slow, made_up = slow_refill(whole_seconds)
    assert slow.waits[0].promised_s == 4.0, "nothing is left in the bucket then; some in later rounds"
    for wait in slow.waits:
        refused = [row for row in made_up.sent if (row["load"], row["group"]) == ("exhaust-slow", wait.index)][
            -LAST_ASKED:
        ]
        (again,) = (row for row in made_up.sent if (row["load"], row["group"]) == ("retry-slow", wait.index))
        assert [row["status"] for row in refused] == [429] * LAST_ASKED
        assert wait.promised_s == float(json.loads(refused[-1]["headers"])["retry-after"])
        assert again["sent_s"] - refused[-1]["first_byte_s"] == pytest.approx(wait.waited_s)


def test_the_waits_take_no_longer_than_the_saturation_beside_them():
    _, made_up = slow_refill(with_jitter())
    assert made_up.now_s - 50.0 < 20.0


def test_a_promise_that_no_bucket_needs_is_not_waited_for_twice():
    slow, _ = slow_refill(lambda wait_s, at_s: "3600")
    (wait,) = slow.waits
    assert (wait.searched, wait.waited_s) == (True, pytest.approx(2 / SLOW_PER_SECOND + 3))


@pytest.mark.parametrize(
    ("release", "why"),
    [
        (SlowRelease(Slow(), "rate.perSecond: expected an integer"), "expected an integer"),
        (SlowRelease(Slow(ready=False), ""), "it ended with 1"),
    ],
    ids=["refused by the chart", "not Ready"],
)
def test_a_service_that_cannot_be_so_slow_is_not_asked(release, why):
    made_up = sandbox_of(whole_seconds)
    slow = release.taken_at_its_word(made_up, BURST, 4)
    assert (slow.waits, made_up.traffic.sent) == ((), [])
    assert why in slow.why_not


def test_a_service_that_takes_so_slow_a_rate_for_none_is_not_judged_by_it():
    """Where whole numbers are meant, 0.3 may be read as 0, which is no limit."""
    slow = SlowRelease(Slow(), "").taken_at_its_word(sandbox_of(whole_seconds, rate=1e6), BURST, 4)
    assert (slow.waits, slow.why_not) == ((), "none of 26 requests was refused with a wait that can be read")
    assert judged("L2", CONTRACT, rate_limited(slow=slow)).outcome is Outcome.PASS


def test_a_promise_that_is_over_before_it_can_be_read_here_is_kept_by_the_generator():
    made_up = sandbox_of(lambda wait_s, at_s: "0", rate=10.0)
    limiter, at_once = Limiter(POD, 10.0), [0.003 * n for n in range(30)]
    first = silent_wait(made_up, limiter, 0, at_once)
    second = silent_wait(made_up, limiter, 1, at_once, expected_s=first.promised_s)
    assert second.promised_s == 0.0
    assert second.waited_s < 0.1
    assert not second.admitted


def test_less_than_the_promise_is_kept_to_find_the_true_wait():
    made_up = sandbox_of(whole_seconds, rate=10.0)
    wait = silent_wait(made_up, Limiter(POD, 10.0), 0, [0.003 * n for n in range(30)], share=0.5)
    assert (wait.searched, wait.waited_s) == (True, pytest.approx(0.5))
