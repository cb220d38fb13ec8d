"""A schedule divided among workers: nothing is sent twice, and nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.loads.shares import clients_in, over_s, requests_in, shared
from seatrial.traffic.plan import ClosedLoop, Exchange, Lone, OpenLoop, ServiceTarget

EXCHANGES = (Exchange("a", "GET", "/"), Exchange("b", "GET", "/"))
SERVICE = ServiceTarget("web", "127.0.0.1", 1)


@given(count=st.integers(0, 30), members=st.integers(1, 5), connection=st.sampled_from(["new", "pooled", "keep-alive"]))
def test_every_arrival_is_in_one_share(count, members, connection):
    load = OpenLoop("s", SERVICE, EXCHANGES, [n / 7 for n in range(count)], [n % 2 for n in range(count)])
    load = OpenLoop(load.name, SERVICE, EXCHANGES, load.arrivals_s, load.picks, connection=connection)
    shares = [shared([load], place, members) for place in range(members)]
    parts = [part for share in shares for part in share]
    sent = [row for part in parts for row in zip(part.arrivals_s, part.picks, strict=True)]
    assert sorted(sent) == list(zip(load.arrivals_s, load.picks, strict=True))
    assert sum(requests_in(share) for share in shares) == count


def test_arrivals_on_one_connection_are_the_first_workers():
    load = OpenLoop("s", SERVICE, EXCHANGES, [0.0, 1.0, 2.0], connection="keep-alive")
    assert [shared([load], place, 2) for place in range(2)] == [[load], []]


@given(clients=st.integers(1, 30), members=st.integers(1, 5))
def test_clients_are_divided_and_draw_differently(clients, members):
    load = ClosedLoop("s", SERVICE, EXCHANGES, clients, 0.0, 1.0, seed=7000)
    shares = [shared([load], place, members) for place in range(members)]
    sizes = [clients_in(share) for share in shares]
    assert sum(sizes) == clients
    assert max(sizes) - min(sizes) <= 1
    seeds = [part.seed for share in shares for part in share]
    assert len(set(seeds)) == len(seeds)


@given(count=st.integers(0, 9), clients=st.integers(1, 9))
def test_one_worker_has_the_whole_as_it_is(count, clients):
    loads = [
        OpenLoop("a", SERVICE, EXCHANGES, [float(n) for n in range(count)]),
        ClosedLoop("b", SERVICE, EXCHANGES, clients, 0.0, 1.0, seed=1),
    ]
    assert shared(loads, 0, 1) == loads


@pytest.mark.parametrize(
    ("loads", "by_s"),
    [
        ([], 0.0),
        ([OpenLoop("a", SERVICE, EXCHANGES, [], timeout_s=5)], 5.0),
        ([OpenLoop("a", SERVICE, EXCHANGES, [0.0, 1.0, 3.0], timeout_s=5)], 8.0),
        ([OpenLoop("a", SERVICE, EXCHANGES, [0.0, 1.0, 3.0], timeout_s=5, connection="pooled")], 8.0),
        ([OpenLoop("a", SERVICE, EXCHANGES, [0.0, 1.0, 3.0], timeout_s=5, connection="keep-alive")], 18.0),
        ([ClosedLoop("b", SERVICE, EXCHANGES, 2, 1.0, 4.0, seed=1, timeout_s=7)], 11.0),
        (
            [
                OpenLoop("a", SERVICE, EXCHANGES, [9.0], timeout_s=5),
                ClosedLoop("b", SERVICE, EXCHANGES, 2, 1.0, 4.0, seed=1, timeout_s=5),
            ],
            14.0,
        ),
    ],
)
def test_a_share_is_over_when_the_last_answer_has_come_or_its_time_is_up(loads, by_s):
    assert over_s(loads) == by_s


@pytest.mark.parametrize("function", [lambda loads: shared(loads, 0, 2), over_s])
def test_only_a_scenarios_loads_can_be_divided(function):
    with pytest.raises(TypeError, match="found Lone"):
        function([Lone("s", SERVICE, EXCHANGES, 0.0, 1, 0.1)])
