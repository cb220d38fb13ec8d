"""Encrypted connections: the same rows as in the clear, and what fails before the first request is of kind `tls`."""

import asyncio
import contextlib
import ssl
import time

import pytest
import trustme
import uvloop

from seatrial.traffic.engine import Engine
from seatrial.traffic.plan import ClosedLoop, Exchange, OpenLoop, ServiceTarget
from tests.helpers.bad_servers import Bad
from tests.helpers.bad_servers import serving as serving_badly

OK = b'HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{"a": 1}'
GET = Exchange("get", "GET", "/", expect={"a": 1})


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(autouse=True)
def _trusted(authority, tmp_path, monkeypatch):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def serving(authority, name="127.0.0.1"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def answers(reader, writer):
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request, monkeypatch):
    """Serve with `handler` under this TLS context (or none), carry out `loads(target)` and return the ledger."""
    monkeypatch.setattr("gc.collect", lambda: 0)

    async def whole(handler, context, loads):
        async def guarded(reader, writer):
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await handler(reader, writer)
            writer.close()

        server = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=context)
        engine = Engine()
        target = ServiceTarget("web", "127.0.0.1", server.sockets[0].getsockname()[1], tls=True)
        started = await engine.start(loads(target), time.monotonic())
        async with asyncio.timeout(10):
            await asyncio.shield(started.finished)
        engine.close()
        server.close()
        return started.ledger()

    def go(handler, context, loads):
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(whole(handler, context, loads))

    return go


@pytest.mark.parametrize("connection", ["new", "keep-alive", "pooled"])
def test_requests_are_answered_as_in_the_clear(run, authority, connection):
    times = [n * 0.01 for n in range(20)]
    ledger = run(
        answers, serving(authority), lambda target: [OpenLoop("s", target, (GET,), times, connection=connection)]
    )
    assert ledger.right.all()
    for row in ledger:
        told = (row.scheduled_s, row.sent_s, row.connected_s, row.body_sent_s, row.first_byte_s, row.ended_s)
        assert list(told) == sorted(told)


def test_clients_that_wait_keep_their_connections(run, authority):
    ledger = run(answers, serving(authority), lambda target: [ClosedLoop("s", target, (GET,), 3, 0.0, 0.3, seed=1)])
    assert ledger.right.all()
    assert len(set(ledger.connection.tolist())) == 3


def test_bodies_larger_than_any_buffer_arrive_whole_both_ways(run, authority):
    got = []

    async def echoes_the_size(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
        got.append(len(await reader.readexactly(length)))
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n{"a": 1}' + b" " * 1_999_992)
        await writer.drain()

    large = Exchange("large", "POST", "/", body=bytes(2_000_000), expect={"a": 1})
    ledger = run(echoes_the_size, serving(authority), lambda target: [OpenLoop("s", target, (large,), [0.0, 0.0])])
    assert got == [2_000_000] * 2
    assert ledger.right.all()


def test_a_certificate_that_nobody_vouches_for_is_an_error_of_its_own_kind(run):
    ledger = run(answers, serving(trustme.CA()), lambda target: [OpenLoop("s", target, (GET,), [0.0])])
    assert (ledger.texts("error"), ledger.status.tolist()) == (["tls"], [0])


def test_a_certificate_for_another_name_too(run, authority):
    context = serving(authority, "elsewhere.example")
    assert run(answers, context, lambda target: [OpenLoop("s", target, (GET,), [0.0])]).texts("error") == ["tls"]


def test_a_server_without_tls_too(run):
    async def babbles(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await reader.read(100)

    assert run(babbles, None, lambda target: [OpenLoop("s", target, (GET,), [0.0])]).texts("error") == ["tls"]


def test_a_server_that_never_shakes_hands_is_a_timeout(run):
    async def waits(reader, writer):
        await asyncio.sleep(2)

    ledger = run(waits, None, lambda target: [OpenLoop("s", target, (GET,), [0.0], timeout_s=0.2)])
    assert ledger.texts("error") == ["timeout"]


def test_a_server_that_never_stops_sending_is_given_up_when_its_time_has_passed(run, authority):
    async def closes(reader, writer): ...

    with serving_badly({"flood": Bad(b"HTTP/1.1 200 OK\r\n\r\n", again=b"x" * 1_000_000)}, serving(authority)) as port:
        flood = ServiceTarget("flood", "127.0.0.1", port, tls=True)
        exchange = Exchange("flood", "GET", "/flood")
        ledger = run(closes, None, lambda _: [OpenLoop("s", flood, (exchange,), [0.0, 0.0], timeout_s=0.5)])
    assert ledger.texts("error") == ["timeout", "timeout"]


def test_a_socket_that_always_has_more_to_read_does_not_keep_the_loop_from_all_else(run, authority, monkeypatch):
    """Such is a server that encrypts as fast as we decrypt; time limits, and other connections, need their turn."""
    began_s = time.monotonic()

    def more(_, most):
        if time.monotonic() > began_s + 5:
            raise ssl.SSLError("the loop had no other turn for 5 s")
        return b"HTTP/1.1 200 OK\r\n\r\n".ljust(100, b"x")

    monkeypatch.setattr(ssl.SSLSocket, "recv", more)
    ledger = run(answers, serving(authority), lambda target: [OpenLoop("s", target, (GET,), [0.0], timeout_s=0.3)])
    assert ledger.texts("error") == ["timeout"]


def test_an_answer_cut_short_is_not_whole(run, authority):
    async def cuts(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK[:-3])

    ledger = run(cuts, serving(authority), lambda target: [OpenLoop("s", target, (GET,), [0.0])])
    assert (ledger.texts("error"), ledger.status.tolist()) == (["eof"], [200])
