"""The self-test passes a good client and names what a broken one gets wrong."""

import dataclasses

import pytest

from seatrial.traffic import connection, self_test, sender
from seatrial.traffic.engine import Engine
from seatrial.traffic.http1 import Answer


async def found_wrong():
    engine = Engine()
    try:
        return await self_test.self_test(engine)
    finally:
        engine.close()


async def test_a_good_client_sees_everything_as_it_is():
    assert await found_wrong() == []


def break_reset(monkeypatch):
    monkeypatch.setattr(connection, "_KINDS", {**connection._KINDS, 104: "eof"})


def break_eof(monkeypatch):
    monkeypatch.setattr(Answer, "end_of_stream", lambda self: True)


def break_refused(monkeypatch):
    monkeypatch.setattr(connection, "_KINDS", {**connection._KINDS, 111: "timeout"})


def break_garbage(monkeypatch):
    monkeypatch.setattr(Answer, "feed", lambda self, data: True)


def break_judgement(monkeypatch):
    monkeypatch.setattr(sender, "judge", lambda *_: 1)


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (break_reset, "reset"),
        (break_eof, "truncated"),
        (break_refused, "refused"),
        (break_garbage, "garbage"),
        (break_judgement, "wrong"),
    ],
)
async def test_a_broken_client_is_found_out(monkeypatch, broken, named):
    broken(monkeypatch)
    assert any(line.startswith(f"{named}: ") for line in await found_wrong())


async def test_a_client_that_asks_twice_is_found_out(monkeypatch):
    once = self_test._loads

    def twice(port, refused_port):
        ask, *others = once(port, refused_port)
        again = dataclasses.replace(
            ask, arrivals_s=[*ask.arrivals_s, 0.0], picks=[*ask.picks, list(self_test.SHOWN).index("busy")]
        )
        return [again, *others]

    monkeypatch.setattr(self_test, "_loads", twice)
    assert await found_wrong() == ["busy: shown once, asked for 2 times"]
