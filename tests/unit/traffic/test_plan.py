"""Plans travel to the generator and arrive unchanged."""

import numpy as np
import pytest

from seatrial.errors import InputError
from seatrial.traffic.plan import (
    ChosenTarget,
    ClosedLoop,
    Connects,
    Exchange,
    Lone,
    OpenLoop,
    PodTarget,
    ServiceTarget,
    decode,
    encode,
)  # fmt: skip

EXCHANGES = (
    Exchange("a", "POST", "/x", (("content-type", "application/json"), ("X-Twice", "1")), b"\x00\xff", {"n": [1]}, 0.5),
    Exchange("b", "GET", "/y"),
)
SERVICE = ServiceTarget("web", "web.ns", 80)


@pytest.mark.parametrize(
    "load",
    [
        OpenLoop("s", SERVICE, EXCHANGES, (0.5, 1.5), (0, 1), (3, 4), 2.0, "keep-alive", 0.1, "all", 0.2),
        OpenLoop("s", PodTarget("pod-1", "10.0.0.1", 8080), EXCHANGES, ()),
        ClosedLoop("s", ChosenTarget("web", "ns", None, "http://127.0.0.1:1"), EXCHANGES, 4, 1.0, 2.0, 7),
        Lone("s", SERVICE, EXCHANGES, 1.0, 5, 0.25, connection="keep-alive"),
        Connects("s", SERVICE, (1.0, 2.0), 3.0),
    ],
    ids=lambda load: type(load).__name__,
)
def test_a_load_survives_the_way_to_the_generator(load):
    assert decode(encode([load])) == [load]


def test_a_schedule_may_be_given_as_arrays():
    given = OpenLoop("s", SERVICE, EXCHANGES, np.array([0.5, 1.5]), np.array([1, 0]), np.array([0, 1]))
    (load,) = decode(encode([given]))
    assert (load.arrivals_s, load.picks, load.groups) == ((0.5, 1.5), (1, 0), (0, 1))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"picks": (0,)}, "picks: expected one for each of 2 arrivals, found 1"),
        ({"groups": (0, 1, 2)}, "groups: expected one for each of 2 arrivals, found 3"),
        ({"picks": (0, 2)}, "picks: expected indices below 2, found 2"),
        ({"exchanges": ()}, "exchanges: expected at least one"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(changed, named):
    good = {"stream": "s", "target": SERVICE, "exchanges": EXCHANGES, "arrivals_s": (0.0, 1.0), "picks": (0, 1)}
    OpenLoop(**good)
    with pytest.raises(InputError, match=named):
        OpenLoop(**(good | changed))
