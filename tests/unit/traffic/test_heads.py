"""An answer whose head was seen before is read as the parser would read it, however it arrives."""

import asyncio

import pytest

from seatrial.ledger import RIGHT, WRONG
from seatrial.traffic.heads import Head, Heads
from seatrial.traffic.http1 import Answer
from seatrial.traffic.plan import Exchange, Lone

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\nretry-after: 3\r\n\r\n"
OK = HEAD + b'{"a": 1}'
GET = Exchange("get", "GET", "/", expect={"a": 1})


def learned(head, data, method="GET"):
    answer, heads = Answer(method), Heads()
    answer.feed(data)
    heads.learn(head, answer)
    found = [heads.of(head + b"x" * length) for length in range(20)]
    return next((known for known in found if known), None)


def test_what_the_parser_found_is_remembered():
    assert learned(HEAD, OK) == (Head(200, 8, True, '{"retry-after":"3"}'), len(HEAD))


@pytest.mark.parametrize(
    ("head", "data"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" + OK),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 8\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b'8\r\n{"a": 1}\r\n0\r\n\r\n'),
        (b"HTTP/1.1 200 OK\r\n\r\n", b'{"a": 1}'),
        (HEAD, b'{"a": 1}surplus'),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\n", b"{}"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"x" * 5000 + b"\r\ncontent-length: 0\r\n\r\n", b""),
    ],
    ids=[
        "interim",
        "without its body",
        "chunked",
        "until the end",
        "more than announced",
        "with a body against the rule",
        "long",
    ],
)
def test_heads_that_do_not_say_all_are_not_remembered(head, data):
    assert learned(head, data if data.startswith(head) else head + data) is None


def test_of_many_heads_the_last_are_known():
    heads = Heads()
    for number in range(2000):
        head = b"HTTP/1.1 200 OK\r\nx-request-id: %d\r\ncontent-length: 0\r\n\r\n" % number
        answer = Answer("GET")
        answer.feed(head)
        heads.learn(head, answer)
    assert heads.of(head) is not None
    assert heads.of(head.replace(b"1999", b"0")) is None


def serve(answers):
    """Gives these answers in turn on one connection, each in the pieces given."""

    async def handler(reader, writer):
        for pieces in answers:
            await reader.readuntil(b"\r\n\r\n")
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)

    return handler


def ask(run_loads, answers, *exchanges):
    ledger, _ = run_loads(
        serve(answers),
        lambda target: [Lone("s", target, exchanges or (GET,), 0.0, len(answers), 0.02, connection="keep-alive")],
    )
    return ledger


def test_rows_are_the_same_whether_the_head_is_known_and_however_the_answer_is_cut(run_loads):
    cuts = [1, len(HEAD) - 1, len(HEAD), len(HEAD) + 1, len(OK) - 1]
    ledger = ask(run_loads, [(OK,), (OK,), *((OK[:cut], OK[cut:]) for cut in cuts), (OK,)])
    assert ledger.correct.tolist() == [RIGHT] * 8
    assert set(ledger.texts("headers")) == {'{"retry-after":"3"}'}
    assert set(ledger.received_bytes.tolist()) == {len(OK)}
    assert len(set(ledger.connection.tolist())) == 1
    assert (ledger.first_byte_s <= ledger.ended_s).all()
    assert (ledger.ended_s - ledger.first_byte_s)[2:7].min() >= 0.005


def test_another_body_under_a_known_head_is_judged_by_itself(run_loads):
    wrong = HEAD + b'{"a": 2}'
    ledger = ask(run_loads, [(OK,), (wrong,), (OK,), (wrong,)])
    assert ledger.correct.tolist() == [RIGHT, WRONG, RIGHT, WRONG]
    assert ledger.texts("body") == ["", '{"a": 2}', "", '{"a": 2}']


def test_the_same_body_is_right_for_one_exchange_and_wrong_for_another(run_loads):
    other = Exchange("other", "GET", "/", expect={"a": 2})
    assert ask(run_loads, [(OK,)] * 4, GET, other).correct.tolist() == [RIGHT, WRONG, RIGHT, WRONG]


def test_a_known_head_that_ends_the_connection_ends_it_again(run_loads):
    closing = b'HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\n{"a": 1}'
    ledger, _ = run_loads(
        serve([(closing,)]), lambda target: [Lone("s", target, (GET,), 0.0, 3, 0.02, connection="keep-alive")]
    )
    assert ledger.correct.tolist() == [RIGHT] * 3
    assert len(set(ledger.connection.tolist())) == 3
