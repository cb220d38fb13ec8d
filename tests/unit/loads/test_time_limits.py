"""Each phase of an attempt may have a limit of its own; the row says how far it had come."""

import asyncio
import math
import socket
from dataclasses import replace

import pytest

from seatrial.errors import InputError
from seatrial.loads.scenario import read_scenario
from seatrial.traffic.adapters.openai_chat import OpenAIChat
from seatrial.traffic.plan import ClosedLoop, Exchange, OpenLoop, ServiceTarget

ASK = (Exchange("ask", "GET", "/", expect={"a": 1}),)
CHAT = (OpenAIChat("m").exchange("chat", "?"),)
WHOLE_S, LIMIT_S = 8.0, 0.2
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n"


async def silent(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(WHOLE_S / 2)


async def slow_to_end(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b'{"a"')
    await asyncio.sleep(3 * LIMIT_S)
    writer.write(b": 1}")
    await writer.drain()


def asked(target, exchanges=ASK, **limits):
    return [OpenLoop("s", target, exchanges, [0.0, 0.05], timeout_s=WHOLE_S, **limits)]


def ended_by_a_limit(rows):
    """All of them, none before the limit, and long before the limit of the whole."""
    return all(row.error == "timeout" and LIMIT_S <= row.ended_s - row.sent_s < WHOLE_S / 2 for row in rows)


@pytest.mark.parametrize("exchanges", [ASK, CHAT], ids=["plain", "read as it arrives"])
def test_an_answer_that_does_not_begin_in_time_is_given_up(run_loads, exchanges):
    rows, _ = run_loads(silent, lambda target: asked(target, exchanges, first_byte_timeout_s=LIMIT_S))
    assert len(rows) == 2
    assert ended_by_a_limit(rows)
    assert not any(math.isnan(row.connected_s) for row in rows)
    assert all(math.isnan(row.first_byte_s) for row in rows)


@pytest.mark.parametrize("exchanges", [ASK, CHAT], ids=["plain", "read as it arrives"])
def test_one_that_has_begun_may_take_longer(run_loads, exchanges):
    rows, _ = run_loads(slow_to_end, lambda target: asked(target, exchanges, first_byte_timeout_s=LIMIT_S))
    assert [row.error for row in rows] == ["", ""]
    assert all(row.ended_s - row.sent_s > LIMIT_S for row in rows)


def test_the_limit_holds_for_each_request_of_a_kept_connection(run_loads):
    """The first is answered, the second on the same connection is not; the client goes on with another."""

    async def answers_once(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b'{"a": 1}')
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(WHOLE_S / 2)

    def clients(target):
        return [ClosedLoop("s", target, ASK, 1, 0.0, 0.5, 1, timeout_s=WHOLE_S, first_byte_timeout_s=LIMIT_S)]

    rows, _ = run_loads(answers_once, clients)
    assert [row.error for row in rows][:3] == ["", "timeout", ""]
    assert ended_by_a_limit([row for row in rows if row.error])
    assert rows.connection[0] == rows.connection[1] != rows.connection[2]


@pytest.fixture
def full():
    """A port whose queue of connections is full: the kernel lets a SYN go unanswered."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        yield ServiceTarget("full", *listening.getsockname())
        for one in waiting:
            one.close()


def test_a_connection_that_is_not_made_in_time_is_given_up(run_loads, full):
    rows, _ = run_loads(silent, lambda _: asked(full, connect_timeout_s=LIMIT_S))
    assert ended_by_a_limit(rows)
    assert all(math.isnan(row.connected_s) for row in rows)


def test_a_handshake_belongs_to_the_connection(run_loads):
    async def no_handshake(reader, writer):
        await asyncio.sleep(WHOLE_S / 2)

    rows, _ = run_loads(no_handshake, lambda target: asked(replace(target, tls=True), connect_timeout_s=LIMIT_S))
    assert ended_by_a_limit(rows)
    assert all(math.isnan(row.connected_s) for row in rows)


def test_the_limit_of_the_connection_is_none_of_the_answer(run_loads):
    rows, _ = run_loads(slow_to_end, lambda target: asked(target, connect_timeout_s=LIMIT_S))
    assert [row.error for row in rows] == ["", ""]


SCENARIO = """
apiVersion: seatrial/v1
question: "?"
loadtest: ask
timeout_s: 5
stages: [{name: base, rate_rps: 1, duration_s: 1}]
"""


@pytest.mark.parametrize("name", ["connect_timeout_s", "first_byte_timeout_s"])
def test_a_limit_that_could_not_be_reached_is_refused(tmp_path, name):
    file = tmp_path / "ask.yaml"
    file.write_text(f"{SCENARIO}{name}: 5\n")
    with pytest.raises(InputError, match=f"expected a {name} below timeout_s, which is 5 .* found 5; lower it"):
        read_scenario(file)
    file.write_text(f"{SCENARIO}{name}: 4.5\n")
    assert getattr(read_scenario(file), name) == 4.5
