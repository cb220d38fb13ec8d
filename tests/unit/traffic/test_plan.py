"""Plans travel to the generator and arrive unchanged."""

from dataclasses import fields

import numpy as np
import pytest

from seatrial.errors import InputError
from seatrial.traffic.plan import (
    ChosenTarget,
    ClosedLoop,
    Connects,
    Credentials,
    Exchange,
    Lone,
    OpenLoop,
    PodTarget,
    ServiceTarget,
    Source,
)
from seatrial.traffic.plan_codec import decode, encode

EXCHANGES = (
    Exchange("a", "POST", "/x", (("content-type", "application/json"), ("X-Twice", "1")), b"\x00\xff", {"n": [1]}, 0.5),
    Exchange("b", "GET", "/y"),
)
SERVICE = ServiceTarget("web", "web.ns", 80)


def told(loads):
    """What loads say, with everything that there is of each arrival as a list."""
    return [
        {
            field.name: list(getattr(load, field.name))
            if field.name in ("arrivals_s", "picks", "groups")
            else getattr(load, field.name)
            for field in fields(load)
        }
        for load in loads
    ]


@pytest.mark.parametrize(
    "load",
    [
        OpenLoop("s", SERVICE, EXCHANGES, (0.5, 1.5), (0, 1), (3, 4), 2.0, "keep-alive", 0.1, "all", 0.2),
        OpenLoop("s", PodTarget("pod-1", "10.0.0.1", 8080), EXCHANGES, ()),
        ClosedLoop("s", ChosenTarget("web", "ns", "", "http://127.0.0.1:1"), EXCHANGES, 4, 1.0, 2.0, 7),
        Lone("s", SERVICE, EXCHANGES, 1.0, 5, 0.25, connection="keep-alive"),
        Connects("s", SERVICE, (1.0, 2.0), 3.0),
    ],
    ids=lambda load: type(load).__name__,
)
def test_a_load_survives_the_way_to_the_generator(load):
    assert told(decode(encode([load]))) == told([load])


def test_loads_keep_their_own_arrivals_and_may_have_them_as_arrays():
    three = OpenLoop("s", SERVICE, EXCHANGES, np.array([0.5, 1.5, 2.5]), np.array([1, 0, 1], np.int32))
    two = OpenLoop("t", SERVICE, EXCHANGES, [0.1, 0.3], groups=np.array([2**40, 1]))
    none = OpenLoop("u", SERVICE, EXCHANGES, np.empty(0))
    found = decode(encode([three, none, Connects("c", SERVICE, [7.0]), two]))
    assert [list(load.arrivals_s) for load in found] == [[0.5, 1.5, 2.5], [], [7.0], [0.1, 0.3]]
    assert [list(found[0].picks), list(found[3].picks)] == [[1, 0, 1], []]
    assert [list(found[0].groups), list(found[3].groups)] == [[], [2**40, 1]]


def test_an_adapter_travels_once_with_all_requests_that_are_read_by_it():
    own = Source("own.py", "class Adapter: ...\n" * 100)
    asked = [
        Exchange(f"c{n}", "GET", "/z", expect="a", api="own", comparator="contains", source=own) for n in range(50)
    ]
    load = OpenLoop("s", SERVICE, (*asked, *EXCHANGES), [0.0])
    assert decode(encode([load]))[0].exchanges == load.exchanges
    assert encode([load]).count(b"class Adapter: ...") == 100


def test_credentials_that_were_not_filled_in_are_never_sent():
    proved = Exchange("a", "GET", "/", credentials=Credentials("chat", "Authorization", "Bearer ", "keys", "token"))
    with pytest.raises(ValueError, match="exchange a: expected its credentials in its headers"):
        encode([OpenLoop("s", SERVICE, (proved,), [0.0])])


def test_a_schedule_of_many_arrivals_travels_in_their_own_size():
    many = OpenLoop("s", SERVICE, EXCHANGES, np.linspace(0, 1, 100_000), np.zeros(100_000, np.int32))
    assert len(encode([many])) < 12 * 100_000 + 2_000


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"picks": (0,)}, "picks: expected one for each of 2 arrivals, found 1"),
        ({"groups": (0, 1, 2)}, "groups: expected one for each of 2 arrivals, found 3"),
        ({"picks": (0, 2)}, "picks: expected indices below 2, found 2"),
        ({"picks": (-1, 0)}, "picks: expected indices below 2, found -1"),
        ({"exchanges": ()}, "exchanges: expected at least one"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(changed, named):
    good = {"name": "s", "target": SERVICE, "exchanges": EXCHANGES, "arrivals_s": (0.0, 1.0), "picks": (0, 1)}
    OpenLoop(**good)
    with pytest.raises(InputError, match=named):
        OpenLoop(**(good | changed))
