"""Several generators as one: nothing is sent twice, nothing is lost, and the worst of them vouches for all."""

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import ClusterError
from seatrial.ledger import RIGHT
from seatrial.traffic.channel import ProcessChannel
from seatrial.traffic.fleet import Fleet, dealt
from seatrial.traffic.generator import Generator
from seatrial.traffic.plan import ClosedLoop, Exchange, Lone, OpenLoop, PodTarget, ServiceTarget

EXCHANGES = (Exchange("a", "GET", "/", expect={"a": 1}), Exchange("b", "GET", "/", expect={"a": 1}))
SERVICE = ServiceTarget("web", "127.0.0.1", 1)
POD = PodTarget("web-0", "127.0.0.1", 1)


@pytest.fixture
def fleet():
    origin_s = time.monotonic()
    one = Fleet([Generator(ProcessChannel(), origin_s) for _ in range(2)])
    one.prepare()
    yield one
    one.close()


@given(count=st.integers(0, 30), members=st.integers(1, 4))
def test_each_arrival_of_a_service_is_sent_by_one_member(count, members):
    arrivals_s = [float(n) for n in range(count)]
    load = OpenLoop("s", SERVICE, EXCHANGES, arrivals_s, [n % 2 for n in range(count)], list(range(count)))
    parts = [part for share in dealt([load], members) for part in share]
    sent = [row for part in parts for row in zip(part.arrivals_s, part.picks, part.groups, strict=True)]
    assert sorted(sent) == list(zip(arrivals_s, load.picks, load.groups, strict=True))
    sizes = [len(part.arrivals_s) for part in parts] or [0]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    "load",
    [
        OpenLoop("s", POD, EXCHANGES, [0.0, 1.0]),
        OpenLoop("s", SERVICE, EXCHANGES, [0.0, 1.0], connection="keep-alive"),
        ClosedLoop("s", SERVICE, EXCHANGES, 4, 0.0, 1.0, seed=1),
        Lone("s", SERVICE, EXCHANGES, 0.0, 4, 0.1),
    ],
    ids=["a pod's own address", "one connection", "clients that wait", "one after the other"],
)
def test_what_cannot_be_divided_is_carried_by_the_first(load):
    assert dealt([load], 3) == [[load], [], []]


def test_the_rows_of_all_members_come_back_as_one_ledger(fleet, web):
    start_s = time.monotonic()
    run = fleet.start_now([OpenLoop("s", web, EXCHANGES, [0.1 + n * 0.01 for n in range(11)])])
    rows = run.collect(timeout_s=20)
    assert rows.correct.tolist() == [RIGHT] * 11
    assert rows.row.tolist() == list(range(11))
    assert len(set(rows.connection.tolist())) == 11
    assert Counter((rows.connection % 2).tolist()) == {0: 6, 1: 5}
    health = fleet.health(run)
    assert (health.scheduled, health.sent, health.self_test) == (11, 11, ())
    assert health.clock_bound_s < time.monotonic() - start_s


def test_a_run_of_the_first_alone_needs_no_other(fleet, web):
    run = fleet.start_now([Lone("s", web, EXCHANGES, 0.0, 3, 0.0)])
    assert len(run.collect(timeout_s=20)) == 3
    assert [place for place, _ in run.parts] == [0]
    assert fleet.health(run).sent == 3


def test_stopping_stops_all_members(fleet, web):
    run = fleet.start_now([OpenLoop("s", web, EXCHANGES, [0.0, 0.0, 60.0, 60.0])])
    time.sleep(0.3)
    run.stop()
    assert len(run.collect(timeout_s=20)) == 2


def test_a_member_that_dies_is_an_error_and_not_a_smaller_load(web):
    channels = [ProcessChannel(), ProcessChannel()]
    fleet = Fleet([Generator(channel, time.monotonic()) for channel in channels])
    run = fleet.start_now([OpenLoop("s", web, EXCHANGES, [0.0, 0.0, 0.0, 60.0])])
    channels[1]._process.kill()
    with pytest.raises(ClusterError, match=r"status -9|Broken pipe"):
        run.collect(timeout_s=20)
    fleet.close()
