"""One clock for a run: monotonic, and tied to the wall's at its start."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.clock import RunClock, parsed_s


@pytest.mark.parametrize(
    ("stamp", "unix_s"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2026-01-01T00:00:00Z", 1_767_225_600.0),
        ("2026-01-01T00:00:00.5Z", 1_767_225_600.5),
        ("2026-01-01T00:00:00.123456789Z", 1_767_225_600.123456789),
        ("2026-01-01T00:00:00+00:00", 1_767_225_600.0),
        ("2026-01-01T08:00:00.25+08:00", 1_767_225_600.25),
        ("2025-12-31T19:30:00-04:30", 1_767_225_600.0),
    ],
)
def test_stamps_are_read_to_the_nanosecond_that_runtimes_write(stamp, unix_s):
    assert parsed_s(stamp, 0.0) == pytest.approx(unix_s, abs=1e-6)
    assert parsed_s(stamp, 1_767_225_500.0) == pytest.approx(unix_s - 1_767_225_500.0, abs=1e-6)


@pytest.mark.parametrize("stamp", ["", "soon", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00.xZ", "2026-01-01T00:00:00"])
def test_anything_else_is_refused(stamp):
    with pytest.raises(ValueError, match=r"."):
        parsed_s(stamp, 0.0)


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999))
def test_a_stamp_is_where_its_seconds_say(seconds, micros):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{micros:06}Z"
    assert parsed_s(stamp, float(seconds)) == pytest.approx(micros / 1e6, abs=1e-6)


def test_the_clock_starts_at_zero_and_never_goes_back():
    clock = RunClock.start()
    first, second = clock.now(), clock.now()
    assert 0 <= first <= second
    assert clock.at_wall("1970-01-01T00:00:10Z") == pytest.approx(10.0 - clock.wall_origin_s)
