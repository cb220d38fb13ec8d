"""The time that each attempt may take, and what is remembered of one request's answers and not of another's."""

import asyncio

import pytest

from seatrial.traffic import sender as module
from seatrial.traffic.plan import Exchange
from seatrial.traffic.recorder import Recorder
from seatrial.traffic.sender import Manner, Sender

LIMIT_S = 10.0


class Loop:
    """Its clock stands still until `pass_to`; `timers` are those that have been set and have not rung."""

    def __init__(self):
        self.now_s, self.timers, self.rung = 0.0, [], 0

    def call_later(self, delay_s, call):
        self.timers.append((self.now_s + delay_s, call))
        return object()

    def pass_to(self, now_s):
        while due := [timer for timer in self.timers if timer[0] <= now_s]:
            first = min(due, key=lambda timer: timer[0])
            self.timers.remove(first)
            self.now_s = first[0]
            self.rung += 1
            first[1]()
        self.now_s = now_s


class Waiting:
    """An attempt that nobody answers."""

    def __init__(self, sender, loop, then=None):
        self.sent_s, self.dropped_s, self._sender, self._loop, self._then = loop.now_s, None, sender, loop, then
        sender.watch(self)

    def drop(self, kind):
        assert kind == "timeout"
        self.dropped_s = self._loop.now_s
        self._sender.forget(self, None)
        if self._then:
            self._then()


@pytest.fixture
def loop(monkeypatch):
    loop = Loop()
    monkeypatch.setattr(module.time, "monotonic", lambda: loop.now_s)
    return loop


@pytest.fixture
def sender(loop):
    return Sender(loop, Manner("web", LIMIT_S, reuse=True), Recorder())


def test_each_is_dropped_when_its_own_time_has_passed(loop, sender):
    sent = []
    for sent_s in (0.0, 3.0, 3.0, 7.5):
        loop.pass_to(sent_s)
        sent.append(Waiting(sender, loop))
    loop.pass_to(100.0)
    assert [one.dropped_s for one in sent] == [10.0, 13.0, 13.0, 17.5]


def test_one_that_ended_in_time_is_not_dropped_and_holds_up_nobody(loop, sender):
    early, late = Waiting(sender, loop), Waiting(sender, loop)
    sender.forget(early, None)
    loop.pass_to(100.0)
    assert (early.dropped_s, late.dropped_s) == (None, LIMIT_S)


def test_there_is_one_timer_however_many_time_out_and_begin_anew(loop, sender):
    """A kept connection sends the next request at the moment at which the last is given up."""

    def again():
        if loop.now_s < 1000.0:
            Waiting(sender, loop, again)

    again()
    loop.pass_to(999.0)
    assert len(loop.timers) == 1
    assert loop.rung == 99
    loop.pass_to(2000.0)
    assert loop.timers == []


def test_a_look_does_not_go_through_those_whose_time_is_still_to_come(loop, sender):
    """A server that accepts everything and answers nothing leaves thousands open: a look at all of them takes long."""
    looked = []

    class Counted(Waiting):
        @property
        def sent_s(self):
            looked.append(self)
            return self._sent_s

        @sent_s.setter
        def sent_s(self, value):
            self._sent_s = value

    for number in range(1000):
        loop.pass_to(number * 0.001)
        Counted(sender, loop)
    looked.clear()
    loop.pass_to(LIMIT_S + 0.0005)
    assert len(looked) < 10


def test_heads_of_answers_to_one_method_are_not_known_for_another():
    """The same head is followed by a body after GET, and by none after HEAD."""
    exchanges = tuple(Exchange(method, method, "/") for method in ("GET", "HEAD", "GET"))
    loop = asyncio.new_event_loop()
    first, head, second = Sender(loop, Manner("web", 1.0, reuse=True), Recorder()).prepared(exchanges, "s")
    loop.close()
    assert first.heads is second.heads
    assert head.heads is not first.heads
