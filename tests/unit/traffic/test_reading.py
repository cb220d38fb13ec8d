"""Streams from a server to the ledger: each event timed as it arrives, tokens counted, and only whole ones right."""

import asyncio

import orjson
import pytest

from seatrial.errors import InputError
from seatrial.ledger import RIGHT, WRONG
from seatrial.traffic.adapters.open_inference import OpenInference
from seatrial.traffic.adapters.openai_chat import OpenAIChat
from seatrial.traffic.plan import Exchange, OpenLoop, ServiceTarget
from seatrial.traffic.plan_codec import decode, encode

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
HELLO = {"choices": [{"message": {"content": "Hello, you"}}]}
CHAT = OpenAIChat("m").exchange("hi", "Hi", expect=HELLO)


def chunk(text):
    return b"%x\r\n%s\r\n" % (len(text), text)


def delta(content, finish=None):
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return b"data: " + orjson.dumps({"object": "chat.completion.chunk", "choices": [choice]}) + b"\n\n"


USAGE = b'data: {"object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5}}\n\n'
DONE = b"data: [DONE]\n\n"
END = b"0\r\n\r\n"
WHOLE = [delta("Hello"), delta(","), delta(" you", "stop"), USAGE, DONE]


def streams(*pieces, every_s=0.05):
    async def handler(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        for piece in pieces:
            await asyncio.sleep(every_s)
            writer.write(piece)
            await writer.drain()

    return handler


def ask(run_loads, handler, exchange=CHAT, **more):
    ledger, _ = run_loads(handler, lambda target: [OpenLoop("s", target, (exchange,), [0.0], **more)])
    (row,) = ledger
    return row, ledger.event_s[row.first_event : row.first_event + row.events]


def test_every_event_of_a_stream_has_the_time_at_which_it_came(run_loads):
    row, event_s = ask(run_loads, streams(*map(chunk, WHOLE), END))
    assert (row.correct, row.error, row.status, row.input_tokens, row.output_tokens) == (RIGHT, "", 200, 7, 5)
    assert len(event_s) == 3
    assert row.first_byte_s <= event_s[0]
    assert (event_s[1:] - event_s[:-1]).min() > 0.03
    assert event_s[-1] < row.ended_s


def test_events_that_come_in_one_read_have_one_time_and_one_that_is_cut_that_of_its_last_byte(run_loads):
    first, rest = chunk(WHOLE[0] + WHOLE[1] + WHOLE[2][:20]), chunk(WHOLE[2][20:] + USAGE + DONE) + END
    row, event_s = ask(run_loads, streams(first, rest))
    assert row.correct == RIGHT
    assert event_s[0] == event_s[1]
    assert event_s[2] - event_s[1] > 0.03


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([*map(chunk, WHOLE[:4]), END], ""),
        ([*map(chunk, WHOLE[:2])], "eof"),
        ([chunk(WHOLE[0]), chunk(b'data: {"error":{"message":"out of memory"}}\n\n'), chunk(DONE), END], ""),
        ([chunk(delta("Hello, me", "stop")), chunk(DONE), END], ""),
        ([chunk(b"not a stream"), END], ""),
    ],
    ids=["without its end", "cut", "an error in it", "another text", "no stream"],
)
def test_a_stream_that_is_not_whole_and_right_is_wrong(run_loads, pieces, error):
    row, event_s = ask(run_loads, streams(*pieces, every_s=0.0))
    assert (row.correct, row.error) == (WRONG, error)
    assert len(event_s) == row.events


@pytest.mark.parametrize(
    ("pieces", "problem"),
    [
        ([*map(chunk, WHOLE[:4]), END], "the stream ended without [DONE]"),
        (
            [chunk(b'data: {"error":{"message":"engine died"}}\n\n'), chunk(DONE), END],
            "error in the stream: engine died",
        ),
        ([chunk(delta("Hello, you")), chunk(DONE), END], "choice 0 has no finish_reason"),
        ([chunk(delta("Hello, me", "stop")), chunk(DONE), END], ""),
        ([*map(chunk, WHOLE[:2])], ""),
        ([*map(chunk, WHOLE), END], ""),
    ],
    ids=["no end mark", "an error in it", "no finish reason", "another text", "cut", "right"],
)
def test_what_is_wrong_with_a_whole_answer_is_in_its_row(run_loads, pieces, problem):
    row, _ = ask(run_loads, streams(*pieces, every_s=0.0))
    assert row.problem.startswith(problem)
    assert bool(row.problem) == bool(problem)


@pytest.mark.parametrize(("usage", "counted", "tokens"), [([USAGE], 0, 5), ([], 1, 3)])
def test_tokens_that_were_counted_from_events_are_told_from_reported_ones(run_loads, usage, counted, tokens):
    row, _ = ask(run_loads, streams(*map(chunk, [*WHOLE[:3], *usage, DONE]), END, every_s=0.0))
    assert (row.counted, row.output_tokens) == (counted, tokens)


@pytest.mark.parametrize("last", [[WHOLE[4]], [WHOLE[2], USAGE, DONE]], ids=["alone", "with the last tokens"])
@pytest.mark.parametrize("then", ["ends", "breaks", "stays"])
def test_an_answer_ends_with_its_end_mark_whatever_the_connection_does(run_loads, last, then):
    first = WHOLE[: 5 - len(last)]

    async def lingers(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"".join(map(chunk, first)))
        await asyncio.sleep(0.05)
        writer.write(chunk(b"".join(last)))
        await asyncio.sleep(5.0 if then == "stays" else 0.4)
        if then == "ends":
            writer.write(END)

    row, event_s = ask(run_loads, lingers, timeout_s=0.8)
    assert (row.correct, row.error, len(event_s), row.output_tokens) == (RIGHT, "", 3, 5)
    assert row.closed_s - row.ended_s > 0.3
    assert row.ended_s - event_s[0] < row.closed_s - row.ended_s


def test_of_what_is_no_stream_the_answer_ends_with_http(run_loads):
    async def answers(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    row, _ = ask(run_loads, answers, Exchange("x", "GET", "/"))
    assert row.closed_s == row.ended_s


def test_a_stream_that_stalls_keeps_the_events_that_came(run_loads):
    async def stalls(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + chunk(WHOLE[0]))
        await asyncio.sleep(2)

    row, event_s = ask(run_loads, stalls, timeout_s=0.3)
    assert (row.correct, row.error, len(event_s)) == (WRONG, "timeout", 1)


def test_a_refusal_is_no_stream_and_keeps_its_body(run_loads):
    async def refuses(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 429 Slow\r\ncontent-length: 12\r\n\r\n{"error":"x"}'[:-1])

    row, event_s = ask(run_loads, refuses)
    assert (row.status, row.correct, row.body, len(event_s)) == (429, WRONG, '{"error":"x"', 0)


def test_an_api_that_does_not_stream_is_read_when_all_is_there(run_loads):
    tensor = {"name": "x", "shape": [2], "datatype": "FP32", "data": [1.0, 2.0]}
    exchange = OpenInference("m").exchange("t", [tensor], expect={"outputs": [{"name": "y", "data": [3.0]}]})
    body = b'{"outputs":[{"name":"y","shape":[1],"datatype":"FP32","data":[3.0]}]}'

    async def infers(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

    row, event_s = ask(run_loads, infers, exchange)
    assert (row.correct, row.output_tokens, len(event_s)) == (RIGHT, -1, 0)


def test_the_api_travels_with_the_plan():
    (load,) = decode(encode([OpenLoop("s", ServiceTarget("x", "127.0.0.1", 1), (CHAT,), [0.0])]))
    assert load.exchanges[0].api == "openai-chat-stream"


def test_an_api_that_nobody_reads_is_refused(run_loads):
    with pytest.raises(InputError, match=r"expected one of .*openai-chat"):
        ask(run_loads, streams(END), Exchange("x", "GET", "/", api="telepathy"))
