"""ClusterIPs lead to usable endpoints, and pass on how connections end."""

import asyncio
import socket
import struct

import pytest
import pytest_asyncio
import uvloop

from seatrial.clusters.local.proxy import ServiceProxy, targets
from seatrial.clusters.local.store import Store

ADDRESS = "127.96.250.7"
SPEC = {"clusterIP": ADDRESS, "ports": [{"name": "http", "port": 18080, "protocol": "TCP"}]}


def endpoint(address="127.70.0.1", *, ready=True, serving=True, terminating=False):
    conditions = {"ready": ready, "serving": serving, "terminating": terminating}
    return {"addresses": [address], "conditions": conditions}


def part(*endpoints, port=8080):
    return {"ports": [{"name": "http", "port": port, "protocol": "TCP"}], "endpoints": list(endpoints)}


LEAVING = {"ready": False, "serving": True, "terminating": True}
LEFT = {"ready": False, "serving": False, "terminating": True}
UNREADY = {"ready": False, "serving": False, "terminating": False}


@pytest.mark.parametrize(
    ("endpoints", "usable"),
    [
        ([endpoint("a"), endpoint("b", **LEAVING)], ["a"]),
        ([endpoint("a", **LEAVING), endpoint("b", **LEFT)], ["a"]),
        ([endpoint("a", **UNREADY), endpoint("b", **LEAVING)], ["b"]),
        ([endpoint("a", **UNREADY), endpoint("b", **LEFT)], []),
        ([], []),
    ],
    ids=["ready first", "all terminating", "unready is not serving", "none", "no pods"],
)
def test_ready_endpoints_are_used_and_without_any_those_that_serve_while_they_terminate(endpoints, usable):
    found = targets({"spec": SPEC}, [part(*endpoints)])
    assert found == {(ADDRESS, 18080): [(address, 8080) for address in usable]}


def test_a_headless_service_has_nothing_to_listen_on():
    assert targets({"spec": SPEC | {"clusterIP": "None"}}, [part(endpoint())]) == {}


def test_an_empty_slice_of_a_service_without_pods_is_no_error():
    assert targets({"spec": SPEC}, [{"ports": None, "endpoints": None}]) == {(ADDRESS, 18080): []}


class Services:
    """A proxy over a store with one Service, whose endpoints a test sets."""

    def __init__(self):
        self.store = Store()
        self._proxy = ServiceProxy(self.store)
        self.store.create("services", {"metadata": {"name": "shop", "namespace": "default"}, "spec": SPEC})
        labels = {"kubernetes.io/service-name": "shop"}
        metadata = {"name": "shop-1", "namespace": "default", "labels": labels}
        self.store.create("endpointslices", {"metadata": metadata, "addressType": "IPv4", "endpoints": [], "ports": []})
        self._proxy.start()

    async def lead_to(self, *ports):
        def change(draft):
            draft["ports"] = [{"name": "http", "port": ports[0] if ports else 1, "protocol": "TCP"}]
            draft["endpoints"] = [endpoint("127.0.0.1") for _ in ports]

        self.store.mutate("endpointslices", "default", "shop-1", change)
        for _ in range(20):
            await asyncio.sleep(0.005)

    async def connect(self):
        return await asyncio.open_connection(ADDRESS, 18080)

    async def stop(self):
        await self._proxy.stop()


@pytest_asyncio.fixture
async def services():
    services = Services()
    yield services
    await services.stop()


async def serve(handle):
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def answer_after_the_end(reader, writer):
    """Reads all there is before it answers, as a server that is given a half-closed connection may."""
    asked = await reader.read()
    writer.write(b"got " + asked)
    await writer.drain()
    writer.close()


async def test_a_half_closed_connection_still_gets_its_answer(services):
    _, port = await serve(answer_after_the_end)
    await services.lead_to(port)
    reader, writer = await services.connect()
    writer.write(b"hello")
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 5) == b"got hello"


async def test_large_transfers_arrive_whole(services):
    async def echo(reader, writer):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        writer.close()

    _, port = await serve(echo)
    await services.lead_to(port)
    reader, writer = await services.connect()
    sent = bytes(range(256)) * 16384

    async def send():
        writer.write(sent)
        await writer.drain()
        writer.write_eof()

    sending = asyncio.create_task(send())
    assert await asyncio.wait_for(reader.read(), 10) == sent
    await sending


async def test_a_reset_behind_is_a_reset_in_front(services):
    async def crash(reader, writer):
        await reader.read(1)
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    _, port = await serve(crash)
    await services.lead_to(port)
    reader, writer = await services.connect()
    writer.write(b"x")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)


async def test_without_usable_endpoints_connecting_is_refused_until_there_are_some(services):
    await services.lead_to()
    with pytest.raises(ConnectionRefusedError):
        await services.connect()
    _, port = await serve(answer_after_the_end)
    await services.lead_to(port)
    _, writer = await services.connect()
    writer.close()


async def test_an_open_connection_survives_its_endpoint_leaving_the_service(services):
    _, port = await serve(answer_after_the_end)
    await services.lead_to(port)
    reader, writer = await services.connect()
    writer.write(b"long ")
    await asyncio.sleep(0.05)
    await services.lead_to()
    writer.write(b"request")
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 5) == b"got long request"


async def test_an_endpoint_that_does_not_listen_resets_the_connection(services):
    server, port = await serve(answer_after_the_end)
    server.close()
    await server.wait_closed()
    await services.lead_to(port)
    reader, _ = await services.connect()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_what_a_client_sends_at_once_arrives_on_either_event_loop(new_loop):
    """The two differ in when they begin to read: before or after the endpoint is connected."""

    async def exchange():
        services = Services()
        _, port = await serve(answer_after_the_end)
        await services.lead_to(port)
        reader, writer = await services.connect()
        writer.write(b"hello")
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
        await services.stop()
        return answer

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(exchange()) == b"got hello"
