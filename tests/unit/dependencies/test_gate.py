"""The gate, with sockets on 127.0.0.1: what a client of a dependency meets in each mode, and what is counted of it."""

import asyncio
import contextlib

import pytest

from seatrial.dependencies.gate import Gate
from seatrial.dependencies.gate_server import answer

SHORT_S = 0.2  # long enough for loopback; what must not happen is waited for so long


@pytest.fixture
async def backend():
    """Echoes what it gets, each line in capitals, and half closes when its client does."""
    open_writers = set()

    async def serve(reader, writer):
        open_writers.add(writer)
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk.upper())
                await writer.drain()
            writer.write(b"<end>")
            await writer.drain()
            writer.close()
        open_writers.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.open_writers = open_writers
    yield server
    server.close()
    for writer in list(open_writers):
        writer.transport.abort()


@pytest.fixture
async def gate(backend):
    made = Gate("127.0.0.1", 0, backend.sockets[0].getsockname())
    await made.start()
    yield made
    await made.close()


async def client(gate):
    return await asyncio.open_connection("127.0.0.1", gate.port)


async def exchange(connection, sent):
    reader, writer = connection
    writer.write(sent)
    return await asyncio.wait_for(reader.readexactly(len(sent)), 5)


async def nothing_comes(reader):
    with contextlib.suppress(TimeoutError):
        return not await asyncio.wait_for(reader.read(1), SHORT_S)
    return True


async def test_open_passes_on_both_ways_and_counts_bytes(gate):
    connection = await client(gate)
    assert await exchange(connection, b"ping") == b"PING"
    assert await exchange(connection, b"more") == b"MORE"
    assert (gate.counts.connections, gate.counts.open) == (1, 1)
    assert (gate.counts.sent_bytes, gate.counts.received_bytes) == (8, 8)


async def test_a_megabyte_passes_whole(gate):
    sent = bytes(range(97, 123)) * 40_000
    assert await exchange(await client(gate), sent) == sent.upper()


async def test_a_half_closed_connection_stays_half_closed(gate):
    """The end of what a client sends reaches the backend, whose answer still comes."""
    reader, writer = await client(gate)
    writer.write(b"last")
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 5) == b"LAST<end>"
    writer.close()
    await until(lambda: gate.counts.open == 0)


async def until(holds):
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


async def test_refuse_refuses_connections_and_leaves_open_ones_alone(gate):
    before = await client(gate)
    await exchange(before, b"ping")
    await gate.switch("refuse")
    with pytest.raises(ConnectionRefusedError):
        await client(gate)
    assert await exchange(before, b"still") == b"STILL"
    assert gate.counts.connections == 1


async def test_open_after_refuse_listens_on_the_same_port(gate):
    port = gate.port
    before = await client(gate)
    await exchange(before, b"ping")
    await gate.switch("refuse")
    await gate.switch("open")
    assert gate.port == port
    assert await exchange(await client(gate), b"ping") == b"PING"


async def test_refuse_twice_is_refuse_once(gate):
    await gate.switch("refuse")
    await gate.switch("refuse")
    await gate.switch("open")
    assert await exchange(await client(gate), b"ping") == b"PING"


async def test_stall_accepts_and_moves_nothing_on_new_and_on_old_connections(gate):
    old_reader, old_writer = old = await client(gate)
    await exchange(old, b"ping")
    await gate.switch("stall")
    new_reader, new_writer = await client(gate)
    for writer in (old_writer, new_writer):
        writer.write(b"hello")
    assert await nothing_comes(old_reader)
    assert await nothing_comes(new_reader)
    assert (gate.counts.connections, gate.counts.open) == (2, 2)
    assert gate.counts.sent_bytes == 4


async def test_what_was_stalled_moves_on_once_the_gate_opens(gate):
    await gate.switch("stall")
    reader, writer = await client(gate)
    writer.write(b"hello")
    assert await nothing_comes(reader)
    await gate.switch("open")
    assert await asyncio.wait_for(reader.readexactly(5), 5) == b"HELLO"


async def test_a_stall_holds_back_an_answer_that_is_on_its_way(gate, backend):
    connection = await client(gate)
    await exchange(connection, b"ping")
    await gate.switch("stall")
    (to_client,) = backend.open_writers
    to_client.write(b"late")
    assert await nothing_comes(connection[0])
    await gate.switch("open")
    assert await asyncio.wait_for(connection[0].readexactly(4), 5) == b"late"


async def test_cut_resets_what_is_open_and_nothing_after_it(gate):
    cut = [await client(gate), await client(gate)]
    for connection in cut:
        await exchange(connection, b"ping")
    await gate.cut()
    for reader, _ in cut:
        with pytest.raises(ConnectionResetError):
            await reader.read()
    assert (gate.counts.cut, gate.counts.open) == (2, 0)
    assert await exchange(await client(gate), b"ping") == b"PING"


async def test_cut_resets_the_backend_too(gate, backend):
    await exchange(await client(gate), b"ping")
    assert len(backend.open_writers) == 1
    await gate.cut()
    await until(lambda: not [w for w in backend.open_writers if not w.transport.is_closing()])


async def test_cut_resets_stalled_connections(gate):
    await gate.switch("stall")
    reader, _ = await client(gate)
    await until(lambda: gate.counts.open == 1)
    await gate.cut()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    assert gate.mode.name == "stall"


async def test_slow_delays_each_chunk(gate):
    connection = await client(gate)
    await exchange(connection, b"ping")
    await gate.switch("slow", delay_s=0.15)
    before_s = asyncio.get_running_loop().time()
    await exchange(connection, b"ping")
    assert asyncio.get_running_loop().time() - before_s >= 0.3  # one chunk there, one back


async def test_slow_keeps_to_a_rate(gate):
    connection = await client(gate)
    await exchange(connection, b"x")
    await gate.switch("slow", bytes_per_s=10_000)
    # The reads that were waiting still take what there is; from then on, 1000 bytes at a time.
    await exchange(connection, b"x")
    before_s = asyncio.get_running_loop().time()
    await exchange(connection, b"x" * 5_000)
    assert asyncio.get_running_loop().time() - before_s >= 0.45


async def test_open_ends_a_long_delay_at_once(gate):
    connection = await client(gate)
    await exchange(connection, b"ping")
    await gate.switch("slow", delay_s=60.0)
    connection[1].write(b"ping")
    assert await nothing_comes(connection[0])
    await gate.switch("open")
    assert await asyncio.wait_for(connection[0].readexactly(4), 5) == b"PING"


async def test_a_backend_that_is_gone_resets_the_client_and_is_counted(gate, backend):
    backend.close()
    await backend.wait_closed()
    reader, _ = await client(gate)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    assert (gate.counts.connections, gate.counts.unreachable) == (1, 1)


async def test_a_backend_that_resets_resets_the_client(gate, backend):
    connection = await client(gate)
    await exchange(connection, b"ping")
    (to_client,) = backend.open_writers
    to_client.get_extra_info("socket").setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: reset on close
    to_client.transport.abort()
    with pytest.raises(ConnectionResetError):
        await connection[0].read()


async def test_switching_under_traffic_loses_and_repeats_no_byte(gate):
    """Stalled, slowed and opened again many times, a stream arrives whole and in order."""
    reader, writer = await client(gate)
    sent = bytes(97 + n % 26 for n in range(400_000))
    done = asyncio.Event()

    async def switch():
        modes = [("stall", {}), ("open", {}), ("slow", {"delay_s": 0.001}), ("slow", {"bytes_per_s": 5e6})]
        while not done.is_set():
            for name, settings in modes:
                await gate.switch(name, **settings)
                await asyncio.sleep(0.003)

    async def send():
        for start in range(0, len(sent), 4096):
            writer.write(sent[start : start + 4096])
            await writer.drain()
            await asyncio.sleep(0.001)

    switching, sending = asyncio.create_task(switch()), asyncio.create_task(send())
    assert await asyncio.wait_for(reader.readexactly(len(sent)), 30) == sent.upper()
    done.set()
    await asyncio.gather(switching, sending)
    assert (gate.counts.sent_bytes, gate.counts.received_bytes) == (len(sent), len(sent))


GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
PUT = b"PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"


@pytest.fixture
async def http_gate(backend):
    made = Gate("127.0.0.1", 0, backend.sockets[0].getsockname(), http=True)
    await made.start()
    yield made
    await made.close()


async def test_requests_are_counted_however_they_are_cut_into_packets(http_gate):
    connection = await client(http_gate)
    await exchange(connection, GET + PUT)
    for part in (GET[:7], GET[7:] + PUT[:30], PUT[30:]):
        await exchange(connection, part)
    assert (http_gate.counts.requests, http_gate.counts.unreadable) == (4, 0)


async def test_what_is_no_http_passes_and_is_told(http_gate):
    connection = await client(http_gate)
    assert await exchange(connection, b"\x16\x03 no http\r\n\r\n") == b"\x16\x03 NO HTTP\r\n\r\n"
    assert await exchange(connection, GET) == GET.upper()
    assert (http_gate.counts.requests, http_gate.counts.unreadable) == (0, 1)


async def test_other_protocols_have_no_requests(gate):
    await exchange(await client(gate), GET)
    assert gate.counts.requests == 0


async def test_control_switches_and_tells_mode_and_counts(gate):
    connection = await client(gate)
    await exchange(connection, b"ping")
    said = await answer(gate, {"do": "read"})
    counted = {"connections": 1, "open": 1, "sent_bytes": 4, "received_bytes": 4}
    never = {"cut": 0, "unreachable": 0, "requests": 0, "unreadable": 0}
    assert said == {"mode": "open", "counts": counted | never}
    assert (await answer(gate, {"do": "cut"}))["counts"]["cut"] == 1
    for mode in ("stall", "refuse", "open"):
        assert (await answer(gate, {"do": mode}))["mode"] == mode
    said = await answer(gate, {"do": "slow", "delay_s": 0.5, "bytes_per_s": 0.0})
    assert (said["mode"], gate.mode.delay_s) == ("slow", 0.5)


@pytest.mark.parametrize("asked", [{}, [], "stall", {"do": "close"}, {"do": "slow"}, {"do": "slow", "delay_s": "x"}])
async def test_control_refuses_what_means_nothing(gate, asked):
    with pytest.raises(ValueError, match="expected read, cut or one of open, refuse, stall, slow"):
        await answer(gate, asked)
    assert gate.mode.name == "open"
