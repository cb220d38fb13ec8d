"""What a server does against the rules is counted as what it is, and the next request is right again.

Every way of going wrong meets every use of connections, in one run: a request that is answered rightly, the bad one,
one that is due with it (on a kept connection it waits for the bad one's end), and one long afterwards.
"""

import asyncio
import time
from dataclasses import dataclass

import numpy as np
import orjson
import pytest
import uvloop

from seatrial.ledger import RIGHT, WRONG
from seatrial.traffic import attempt, reading
from seatrial.traffic.adapters.openai_chat import OpenAIChat
from seatrial.traffic.engine import Engine
from seatrial.traffic.http1 import _BODY_LIMIT, Answer
from seatrial.traffic.plan import ClosedLoop, Exchange, OpenLoop, ServiceTarget
from tests.helpers.bad_servers import GOOD, Bad, serving

MODES = ("new", "keep-alive", "pooled")
TIMEOUT_S = 3.0
ENDS_WITHIN_S = 30.0  # what ends by itself, beside all that does not, on a busy machine
LONG_AFTER_S = TIMEOUT_S + 0.8
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
EVENTS = OK + b"content-type: text/event-stream\r\n\r\n"
FOR_EVER_S = 0.002  # between two writes of 4,000 bytes


def delta(content, finish=None):
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return b"data: " + orjson.dumps({"object": "chat.completion.chunk", "choices": [choice]}) + b"\n\n"


def usage(tokens):
    return (
        b"data: " + orjson.dumps({"choices": [], "usage": {"completion_tokens": tokens, "prompt_tokens": 1}}) + b"\n\n"
    )


def with_length(*lengths, body=b'{"a": 1}'):
    return OK + b"".join(b"content-length: %b\r\n" % length for length in lengths) + b"\r\n" + body


@dataclass(frozen=True)
class Shown:
    """What the server does, and the row that must come of it."""

    bad: Bad
    status: int
    error: str
    correct: int = WRONG
    streams: bool = False  # asked for as a stream of a chat


def endless(lead, again, status, error, **more):
    return Shown(Bad(lead, again=again * (4000 // len(again)), every_s=FOR_EVER_S), status, error, **more)


SHOWN = {
    "garbage": Shown(Bad(bytes(range(256))), 0, "protocol"),
    "another-protocol": Shown(Bad(b"SSH-2.0-OpenSSH_9.2\r\n"), 0, "protocol"),
    "http2": Shown(Bad(b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x80"), 0, "protocol"),
    "endless-garbage": endless(b"\xff", b"\xff\0", 0, "protocol"),
    "slow-head": Shown(Bad(OK, again=b"x", every_s=0.05), 0, "timeout"),
    "slow-status": Shown(Bad(b"H", then="stay"), 0, "timeout"),
    "slow-body": Shown(Bad(with_length(b"100", body=b"{"), again=b" ", every_s=0.05), 200, "timeout"),
    "endless-headers": endless(OK, b"x-filler: yyyyyyyyyy\r\n", 0, "protocol"),
    "endless-header": endless(OK + b"x: ", b"y", 0, "protocol"),
    "endless-reason": endless(b"HTTP/1.1 200 ", b"O", 0, "protocol"),
    "endless-interim": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0, "protocol"),
    "length-too-large-closed": Shown(Bad(with_length(b"80"), "close"), 200, "eof"),
    "length-too-large-open": Shown(Bad(with_length(b"80")), 200, "timeout"),
    "length-too-small": Shown(Bad(with_length(b"4"), "serve"), 200, ""),
    "more-than-announced": Shown(Bad(GOOD + b"and more", "serve"), 200, "", RIGHT),
    "two-answers": Shown(Bad(GOOD + GOOD, "serve"), 200, "", RIGHT),
    "length-negative": Shown(Bad(with_length(b"-8")), 0, "protocol"),
    "length-no-number": Shown(Bad(with_length(b"eight")), 0, "protocol"),
    "length-empty": Shown(Bad(with_length(b"")), 0, "protocol"),
    "length-too-many-digits": Shown(Bad(with_length(b"9" * 5000)), 0, "protocol"),
    "lengths-that-differ": Shown(Bad(with_length(b"8", b"9")), 0, "protocol"),
    "length-and-chunked": Shown(
        Bad(OK + b"content-length: 8\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"), 0, "protocol"
    ),
    "chunk-size-no-number": Shown(Bad(CHUNKED + b"zz\r\n"), 200, "protocol"),
    "chunk-size-negative": Shown(Bad(CHUNKED + b"-8\r\n"), 200, "protocol"),
    "chunk-size-too-large": Shown(Bad(CHUNKED + b"f" * 17 + b"\r\n"), 200, "protocol"),
    "chunk-longer-than-its-size": Shown(Bad(CHUNKED + b'4\r\n{"a": 1}\r\n0\r\n\r\n'), 200, "protocol"),
    "chunk-never-whole": Shown(Bad(CHUNKED + b"ffff\r\n{"), 200, "timeout"),
    "chunks-without-the-last": Shown(Bad(CHUNKED + b'8\r\n{"a": 1}\r\n', "close"), 200, "eof"),
    "endless-chunk-size": endless(CHUNKED, b"0", 200, "protocol"),
    "endless-chunk-extension": endless(CHUNKED + b"2;", b"e", 200, "protocol"),
    "endless-trailers": endless(CHUNKED + b"0\r\n", b"x-filler: yyyyyyyyyy\r\n", 200, "protocol"),
    "endless-body": endless(OK + b"\r\n", b"x", 200, "timeout"),
    "endless-chunks": endless(CHUNKED, b"3e8\r\n" + b"x" * 1000 + b"\r\n", 200, "timeout"),
    "closed-before": Shown(Bad(b"", "close"), 0, "eof"),
    "closed-in-the-head": Shown(Bad(OK + b"content-le", "close"), 0, "eof"),
    "closed-after-the-head": Shown(Bad(with_length(b"8", body=b""), "close"), 200, "eof"),
    "reset-before": Shown(Bad(b"", "reset"), 0, "reset"),
    "reset-in-the-body": Shown(Bad(with_length(b"8", body=b"{"), "reset"), 200, "reset"),
    "nothing": Shown(Bad(b""), 0, "timeout"),
    "upgrade": Shown(Bad(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"), 101, ""),
    "event-never-ended": endless(EVENTS, b"data: x\n", 200, "timeout", streams=True),
    "event-line-never-ended": endless(EVENTS + b"data: ", b"x", 200, "timeout", streams=True),
    "comments-for-ever": endless(EVENTS, b": ping\n", 200, "timeout", streams=True),
    "events-for-ever": endless(EVENTS, delta("x"), 200, "timeout", streams=True),
    "event-of-two-mebibytes": Shown(
        Bad(EVENTS + delta("x" * 2**21) + delta("", "stop") + b"data: [DONE]\n\n", "close"), 200, "", streams=True
    ),
    "more-tokens-than-there-are": Shown(
        Bad(EVENTS + delta("x", "stop") + usage(10**15) + b"data: [DONE]\n\n", "close"), 200, "", RIGHT, streams=True
    ),
}  # fmt: skip


def exchanges(name):
    if not SHOWN[name].streams:
        return Exchange("good", "GET", "/good", expect={"a": 1}), Exchange(name, "GET", f"/{name}", expect={"a": 1})
    chat = OpenAIChat("m", path=f"/{name}").exchange(name, "Hi", expect={"choices": [{"message": {"content": "x"}}]})
    return Exchange("good", "GET", "/good", expect={"a": 1}), chat


def carried_out(loop, loads, within_s=20.0):
    """The ledger of these loads; fails if they do not end."""

    async def whole():
        engine = Engine()
        run = await engine.start(loads, time.monotonic())
        async with asyncio.timeout(within_s):
            await asyncio.shield(run.finished)
        engine.close()
        return run.ledger()

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(whole())


@pytest.fixture
def kept(monkeypatch):
    """The largest number of bytes that any answer held of its body and headers, while and after it came."""
    monkeypatch.setattr("gc.collect", lambda: 0)
    most = [0]

    class Watched(Answer):
        def feed(self, data):
            taken = super().feed(data)
            held = len(self.body) + sum(map(len, self.headers.values()))
            most[0] = max(most[0], held)
            return taken

    monkeypatch.setattr(attempt, "Answer", Watched)
    monkeypatch.setattr(reading, "Answer", Watched)
    return most


@pytest.fixture(scope="module", params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def rows(request):
    """The four rows of each (name, mode), in the order in which they were due."""
    with pytest.MonkeyPatch.context() as patch, serving({name: shown.bad for name, shown in SHOWN.items()}) as port:
        patch.setattr("gc.collect", lambda: 0)
        target = ServiceTarget("bad", "127.0.0.1", port)
        loads = [
            OpenLoop(
                f"{name} {mode}", target, exchanges(name), [0.0, 0.4, 0.4, 0.4 + LONG_AFTER_S], (0, 1, 0, 0),
                timeout_s=TIMEOUT_S if shown.error == "timeout" else ENDS_WITHIN_S, connection=mode,
            )
            for name, shown in SHOWN.items()
            for mode in MODES
        ]  # fmt: skip
        ledger = carried_out(request.param, loads)
    return {(name, mode): in_order(ledger.of(f"{name} {mode}")) for name in SHOWN for mode in MODES}


def in_order(four):
    """By the time at which they were due; of the two that were due together the bad one first."""
    return sorted(four, key=lambda row: (row.scheduled_s, row.case == "good"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SHOWN)
def test_it_is_counted_as_what_it_is_and_the_next_is_right_again(rows, name, mode):
    shown = SHOWN[name]
    before, bad, meanwhile, afterwards = rows[name, mode]
    assert (bad.status, bad.error, bad.correct) == (shown.status, shown.error, shown.correct)
    assert [(row.status, row.error, row.correct) for row in (before, meanwhile, afterwards)] == [(200, "", RIGHT)] * 3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SHOWN)
def test_a_connection_that_went_wrong_is_not_used_again(rows, name, mode):
    before, bad, meanwhile, afterwards = rows[name, mode]
    assert bad.connection not in (meanwhile.connection, afterwards.connection)
    if mode == "keep-alive":
        assert before.connection == bad.connection
        assert meanwhile.connection == afterwards.connection


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [name for name, shown in SHOWN.items() if shown.error == "timeout"])
def test_what_never_ends_is_given_up_when_its_time_has_passed(rows, name, mode):
    bad = rows[name, mode][1]
    assert bad.ended_s - bad.sent_s >= TIMEOUT_S * 0.99


def test_tokens_that_no_row_can_hold_are_not_taken_for_a_count(rows):
    for mode in MODES:
        bad = rows["more-tokens-than-there-are", mode][1]
        assert (bad.input_tokens, bad.output_tokens) == (1, 1)  # the events with content are counted instead


@LOOPS
def test_bytes_that_come_after_the_answer_close_the_connection_before_the_next_request(loop, monkeypatch):
    monkeypatch.setattr("gc.collect", lambda: 0)
    with serving({"late": Bad(GOOD, again=b"and more", every_s=0.1)}) as port:
        load = OpenLoop(
            "s", ServiceTarget("bad", "127.0.0.1", port), (Exchange("late", "GET", "/late", expect={"a": 1}),),
            [0.0, 0.5, 1.0], timeout_s=TIMEOUT_S, connection="keep-alive",
        )  # fmt: skip
        ledger = carried_out(loop, [load])
    assert ledger.right.all()
    assert len(set(ledger.connection.tolist())) == 3


@LOOPS
@pytest.mark.parametrize("mode", MODES)
def test_a_connection_on_which_the_request_was_not_sent_to_its_end_is_not_used_again(loop, mode, monkeypatch):
    """A server may refuse a body before it has read it; what is left of the body would come before the next request."""
    monkeypatch.setattr("gc.collect", lambda: 0)
    refusal = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n"
    with serving({"small": Bad(refusal, "deaf")}) as port:
        large = Exchange("large", "POST", "/small", body=bytes(30_000_000))
        load = OpenLoop(
            "s", ServiceTarget("bad", "127.0.0.1", port), (large, Exchange("good", "GET", "/", expect={"a": 1})),
            [0.0, 0.0, 0.5], (0, 1, 1), timeout_s=TIMEOUT_S, connection=mode,
        )  # fmt: skip
        ledger = carried_out(loop, [load])
    assert ledger.status.tolist() == [413, 200, 200]
    assert ledger.texts("error") == ["", "", ""]
    assert np.isnan(ledger.body_sent_s[0])
    assert ledger.connection[0] not in ledger.connection[1:]


@LOOPS
def test_a_body_that_is_never_taken_is_a_timeout(loop, monkeypatch):
    monkeypatch.setattr("gc.collect", lambda: 0)
    with serving({"deaf": Bad(b"", "deaf")}) as port:
        large = Exchange("large", "POST", "/deaf", body=bytes(30_000_000))
        load = OpenLoop("s", ServiceTarget("bad", "127.0.0.1", port), (large,), [0.0], timeout_s=0.3)
        ledger = carried_out(loop, [load])
    assert ledger.texts("error") == ["timeout"]
    assert np.isnan(ledger.body_sent_s[0])


@LOOPS
@pytest.mark.parametrize("streams", [False, True], ids=["a body", "events"])
def test_of_what_comes_for_ever_as_fast_as_it_can_a_bounded_part_is_kept(loop, streams, kept):
    """And other requests are answered meanwhile."""
    flood = Bad(EVENTS, again=delta("x") * 2000) if streams else Bad(OK + b"\r\n", again=b"x" * 200_000)
    flooded = OpenAIChat("m", path="/flood").exchange("flood", "Hi") if streams else Exchange("flood", "GET", "/flood")
    with serving({"flood": flood}) as port:
        target = ServiceTarget("bad", "127.0.0.1", port)
        good = Exchange("good", "GET", "/good", expect={"a": 1})
        ledger = carried_out(
            loop,
            [
                OpenLoop("flood", target, (flooded,), [0.0], timeout_s=TIMEOUT_S, keep="all"),
                OpenLoop("good", target, (good,), [0.1 * number for number in range(8)], timeout_s=10.0),
            ],
        )
    (row,) = ledger.of("flood")
    assert (row.error, row.status) == ("timeout", 200)
    assert row.received_bytes > len(row.body) > 0
    assert kept[0] <= _BODY_LIMIT
    assert ledger.of("good").right.all()


@LOOPS
@pytest.mark.parametrize("mode", MODES[:2])
def test_clients_that_wait_for_answers_get_through_all_of_it(loop, mode, monkeypatch):
    monkeypatch.setattr("gc.collect", lambda: 0)
    names = [name for name, shown in SHOWN.items() if shown.error != "timeout"]
    asked = tuple(exchanges(name)[1] for name in names)
    with serving({name: SHOWN[name].bad for name in names}) as port:
        target = ServiceTarget("bad", "127.0.0.1", port)
        ledger = carried_out(loop, [ClosedLoop("s", target, asked, 8, 0.0, 1.0, 1, TIMEOUT_S, mode)])
    assert len(ledger) >= 8
    for row in ledger:
        shown = SHOWN[row.case]
        assert (row.case, row.status, row.error, row.correct) == (row.case, shown.status, shown.error, shown.correct)


@LOOPS
def test_a_peer_that_does_not_speak_http_is_reset(loop, monkeypatch):
    """A port that is closed first by this side is taken for a minute, and a server of garbage would use them all up."""
    monkeypatch.setattr("gc.collect", lambda: 0)
    ends = []

    async def whole():
        async def babbles(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"220 ready\r\n")
            try:
                ends.append(await reader.read())
            except ConnectionResetError:
                ends.append("reset")
            writer.close()

        server = await asyncio.start_server(babbles, "127.0.0.1", 0)
        engine = Engine()
        target = ServiceTarget("bad", "127.0.0.1", server.sockets[0].getsockname()[1])
        run = await engine.start([OpenLoop("s", target, (Exchange("x", "GET", "/"),), [0.0])], time.monotonic())
        await run.finished
        await asyncio.sleep(0.1)
        engine.close()
        server.close()
        return run.ledger()

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(whole()).texts("error") == ["protocol"]
    assert ends == ["reset"]
