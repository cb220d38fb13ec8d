"""What a load becomes on the network, seen from a listener and from the ledger."""

import asyncio
import itertools

import numpy as np
import pytest

from seatrial.ledger import RIGHT, UNJUDGED, WRONG
from seatrial.traffic.plan import ChosenTarget, ClosedLoop, Connects, Exchange, Lone, OpenLoop, PodTarget, ServiceTarget

OK = b'HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{"a": 1}'
GET = Exchange("get", "GET", "/", expect={"a": 1})
POST = Exchange("post", "POST", "/", body=b"0123456789", expect={"a": 1})


async def read_request(reader):
    """One request: its head, and its body by content-length."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return head, await reader.readexactly(int(lengths[0])) if lengths else b""


async def answers(reader, writer):
    """Answers every request on a connection, until it is told to close."""
    while True:
        head, _ = await read_request(reader)
        writer.write(OK)
        if b"connection: close" in head:
            return


async def answers_once_then_closes(reader, writer):
    await read_request(reader)
    writer.write(OK)


def test_every_arrival_is_one_row_on_a_connection_of_its_own(run_loads):
    times = [0.0, 0.01, 0.02, 0.02]
    ledger, health = run_loads(
        answers, lambda target: [OpenLoop("s", target, (GET, POST), times, (0, 1, 1, 0), (0, 0, 1, 1))]
    )
    assert [row.case for row in ledger] == ["get", "post", "post", "get"]
    assert ledger.group.tolist() == [0, 0, 1, 1]
    assert ledger.right.all()
    assert len(set(ledger.connection)) == 4
    assert np.allclose(ledger.scheduled_s, times)
    assert (health["scheduled"], health["sent"]) == (4, 4)


def test_times_are_in_the_order_of_events(run_loads):
    ledger, _ = run_loads(answers, lambda target: [OpenLoop("s", target, (POST,), [0.0] * 20)])
    for row in ledger:
        times = (row.scheduled_s, row.sent_s, row.connected_s, row.body_sent_s, row.first_byte_s, row.ended_s)
        assert list(times) == sorted(times)


def test_an_open_loop_does_not_wait_for_answers(run_loads):
    async def slow(reader, writer):
        await asyncio.sleep(0.3)
        await answers(reader, writer)

    ledger, _ = run_loads(slow, lambda target: [OpenLoop("s", target, (GET,), [0.0, 0.05, 0.1])])
    assert ledger.sent_s.max() < ledger.ended_s.min()


def test_a_generator_that_is_behind_reads_answers_while_it_catches_up(run_loads):
    """Else the time of an answer would be that at which the backlog was gone."""
    ledger, _ = run_loads(answers, lambda target: [OpenLoop("s", target, (GET,), [0.0] * 600, connection="pooled")])
    assert ledger.right.all()
    assert ledger.ended_s.min() < ledger.sent_s.max()
    assert len(set(ledger.connection.tolist())) < 600


def test_a_kept_connection_is_used_serially_and_latency_counts_from_the_schedule(run_loads):
    async def slow(reader, writer):
        while True:
            await read_request(reader)
            await asyncio.sleep(0.05)
            writer.write(OK)

    ledger, _ = run_loads(slow, lambda target: [OpenLoop("s", target, (GET,), [0.0] * 4, connection="keep-alive")])
    assert len(set(ledger.connection)) == 1
    assert ledger.right.all()
    assert (ledger.sent_s[1:] >= ledger.ended_s[:-1]).all()
    assert ledger.latency_s[3] >= 0.2


def test_a_kept_connection_is_opened_anew_only_after_it_was_closed(run_loads):
    ledger, _ = run_loads(
        answers_once_then_closes,
        lambda target: [OpenLoop("s", target, (GET,), [0.0, 0.3, 0.6], connection="keep-alive")],
    )
    assert ledger.right.all()
    assert len(set(ledger.connection)) == 3


class ByHand:
    """An alarm that goes off when a test says so."""

    def __init__(self, loop):
        self.calls = []

    def at(self, when_s, call):
        self.calls.append(call)

    def ring(self):
        self.calls.pop(0)()

    def close(self):
        self.calls.clear()


def test_a_pool_opens_a_connection_only_where_none_is_idle(run_loads, monkeypatch):
    alarms, asked = [], []
    monkeypatch.setattr("seatrial.traffic.engine.Alarm", lambda loop: alarms.append(ByHand(loop)) or alarms[-1])

    async def when_told(reader, writer):
        while True:
            await read_request(reader)
            asked.append(asyncio.Event())
            await asked[-1].wait()
            writer.write(OK)

    async def in_turns(run):
        for together in (3, 2, 1):
            before = len(asked)
            for number in range(1, together + 1):
                alarms[0].ring()
                while len(asked) < before + number:  # nobody waits for another's answer: there is none yet
                    await asyncio.sleep(0.001)
            for number in range(1, together + 1):
                asked[before + number - 1].set()
                while len(run.ledger()) < before + number:
                    await asyncio.sleep(0.001)

    ledger, _ = run_loads(
        when_told, lambda target: [OpenLoop("s", target, (GET,), [0.0] * 6, connection="pooled")], in_turns
    )
    first, second, third = (ledger.connection[turn].tolist() for turn in (slice(3), slice(3, 5), slice(5, 6)))
    assert ledger.right.all()
    assert len(set(first)) == 3
    assert second == [first[2], first[1]]  # the one used last first
    assert third == [second[1]]


def test_a_pool_does_not_ask_on_a_connection_that_the_other_side_has_closed(run_loads):
    ledger, _ = run_loads(
        answers_once_then_closes, lambda target: [OpenLoop("s", target, (GET,), [0.0, 0.2, 0.4], connection="pooled")]
    )
    assert ledger.right.all()
    assert len(set(ledger.connection.tolist())) == 3


def test_a_kept_connection_that_dies_during_a_request_loses_that_request(run_loads):
    """No retry: one row, one attempt."""
    asked = []

    async def second_is_cut(reader, writer):
        await read_request(reader)
        asked.append(1)
        writer.write(OK)
        await read_request(reader)
        asked.append(2)

    ledger, _ = run_loads(
        second_is_cut, lambda target: [OpenLoop("s", target, (GET,), [0.0, 0.05], connection="keep-alive")]
    )
    assert ledger.texts("error") == ["", "eof"]
    assert asked == [1, 2]


def test_the_second_half_of_a_body_follows_after_the_pause(run_loads):
    seen = []

    async def halves(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        seen.append(await reader.read(100))
        seen.append(await reader.read(100))
        writer.write(OK)

    ledger, _ = run_loads(halves, lambda target: [OpenLoop("s", target, (POST,), [0.0], body_pause_s=0.1)])
    assert seen == [b"01234", b"56789"]
    assert ledger.right.all()
    assert ledger.body_sent_s[0] - ledger.connected_s[0] >= 0.099  # loops count delays in whole milliseconds


def test_an_abandoned_request_is_closed_and_called_so(run_loads):
    ends = []

    async def waits(reader, writer):
        await read_request(reader)
        ends.append(await reader.read())

    ledger, _ = run_loads(waits, lambda target: [OpenLoop("s", target, (GET,), [0.0], abandon_after_s=0.05)])
    assert ledger.texts("error") == ["abandoned"]
    assert ends == [b""]
    assert ledger.correct.tolist() == [WRONG]


def test_a_large_body_is_sent_whole(run_loads):
    body = bytes(range(256)) * 40_000
    got = []

    async def takes(reader, writer):
        await asyncio.sleep(0.05)  # lets the kernel's buffers fill up
        got.append((await read_request(reader))[1])
        writer.write(OK)

    large = Exchange("large", "POST", "/", body=body, expect={"a": 1})
    ledger, _ = run_loads(takes, lambda target: [OpenLoop("s", target, (large,), [0.0])])
    assert got == [body]
    assert ledger.right.all()
    assert ledger.body_sent_s[0] > ledger.connected_s[0]


@pytest.mark.parametrize(
    ("answer", "keep", "correct", "kept"),
    [
        (OK, "wrong", RIGHT, ""),
        (OK, "all", RIGHT, '{"a": 1}'),
        (OK.replace(b'"a": 1', b'"a": 2'), "wrong", WRONG, '{"a": 2}'),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 5000\r\n\r\n" + b"x" * 5000, "wrong", WRONG, "x" * 4096),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 5000\r\n\r\n" + b"x" * 5000, "all", WRONG, "x" * 5000),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\n\xff\x00", "wrong", WRONG, "\ufffd\x00"),
    ],
)
def test_bodies_are_kept_as_asked(run_loads, answer, keep, correct, kept):
    async def says(reader, writer):
        await read_request(reader)
        writer.write(answer)

    ledger, _ = run_loads(says, lambda target: [OpenLoop("s", target, (GET,), [0.0], keep=keep)])
    assert ledger.correct.tolist() == [correct]
    assert ledger.texts("body") == [kept]


def test_without_an_expectation_an_answer_is_not_judged(run_loads):
    unjudged = Exchange("any", "GET", "/")
    ledger, _ = run_loads(answers, lambda target: [OpenLoop("s", target, (unjudged,), [0.0])])
    assert ledger.correct.tolist() == [UNJUDGED]
    assert ledger.texts("body") == [""]


@pytest.mark.parametrize("connection", ["new", "keep-alive", "pooled"])
def test_a_closed_loop_keeps_so_many_open_and_no_more(run_loads, connection):
    open_now = itertools.count()
    opened = []

    async def counts(reader, writer):
        opened.append(next(open_now))
        await answers(reader, writer)

    ledger, _ = run_loads(
        counts, lambda target: [ClosedLoop("s", target, (GET, POST), 3, 0.0, 0.6, seed=1, connection=connection)]
    )
    assert ledger.right.all()
    overlapping = [(ledger.sent_s <= at) & (ledger.ended_s > at) for at in ledger.sent_s]
    assert max(int(mask.sum()) for mask in overlapping) == 3
    assert len(opened) == (len(ledger) if connection == "new" else 3)
    assert ledger.scheduled_s.max() < 0.6
    assert set(ledger.texts("case")) == {"get", "post"}


def test_a_closed_loop_against_nobody_ends_and_does_not_spin(run_loads):
    nobody = ServiceTarget("nobody", "127.0.0.1", 1)
    ledger, _ = run_loads(answers, lambda _: [ClosedLoop("s", nobody, (GET,), 2, 0.0, 0.5, seed=1)])
    assert set(ledger.texts("error")) == {"refused"}
    assert 2 <= len(ledger) <= 102


def test_lone_requests_are_spaced_from_the_end_of_the_last(run_loads):
    ledger, _ = run_loads(answers, lambda target: [Lone("s", target, (GET, POST), 0.0, 4, 0.05)])
    assert [row.case for row in ledger] == ["get", "post", "get", "post"]
    assert np.allclose(ledger.scheduled_s[1:] - ledger.ended_s[:-1], 0.05)


def test_a_connect_sends_nothing(run_loads):
    seen = []

    async def listens(reader, writer):
        seen.append(await reader.read())

    ledger, _ = run_loads(listens, lambda target: [Connects("s", target, [0.0, 0.01])])
    assert seen == [b"", b""]
    assert (ledger.status.tolist(), ledger.texts("error")) == ([0, 0], ["", ""])
    assert not np.isnan(ledger.connected_s).any()


def test_a_pod_is_known_by_the_address_that_was_called(run_loads):
    ledger, _ = run_loads(
        answers, lambda target: [OpenLoop("s", PodTarget("pod-1", target.host, target.port), (GET,), [0.0])]
    )
    assert (ledger.texts("pod"), ledger.texts("target")) == (["pod-1"], ["pod-1"])


def test_a_stopped_run_has_rows_only_for_what_was_sent(run_loads):
    async def stop_soon(run):
        await asyncio.sleep(0.1)
        run.stop()

    ledger, health = run_loads(
        answers,
        lambda target: [
            OpenLoop("open", target, (GET,), [0.0, 60.0]),
            Lone("lone", target, (GET,), 0.0, 5, 60.0),
            Connects("connect", target, [0.0, 60.0]),
            ClosedLoop("closed", target, (GET,), 1, 60.0, 61.0, seed=1),
        ],
        stop_soon,
    )
    assert sorted(ledger.texts("load")) == ["connect", "lone", "open"]
    assert (health["scheduled"], health["sent"]) == (3, 3)


def test_a_request_that_cannot_be_sent_from_here_is_not_called_sent(run_loads, monkeypatch):
    """Out of ports or file descriptors: our fault, so the run is INVALID and the service is not blamed."""
    monkeypatch.setattr("socket.socket.connect_ex", lambda *_: 99)  # EADDRNOTAVAIL
    ledger, health = run_loads(answers, lambda target: [OpenLoop("s", target, (GET,), [0.0])])
    assert ledger.texts("error") == ["unsent"]
    assert np.isnan(ledger.sent_s).all()
    assert (health["scheduled"], health["sent"]) == (1, 0)


def test_a_target_that_cannot_be_found_is_an_error_and_not_a_row(run_loads):
    with pytest.raises(OSError, match=r"expected an address for no-such-host\.invalid"):
        run_loads(answers, lambda _: [OpenLoop("s", ServiceTarget("x", "no-such-host.invalid", 80), (GET,), [0.0])])
    unreachable = ChosenTarget("web", "ns", "", "http://127.0.0.1:1")
    with pytest.raises(OSError):
        run_loads(answers, lambda _: [OpenLoop("s", unreachable, (GET,), [0.0])])
