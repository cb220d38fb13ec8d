"""Which endpoint a connection goes to, and how changes of it are followed."""

import asyncio
import time

import orjson
import pytest

from seatrial.traffic.endpoints import PROXY_LAG_S, Watch, candidates
from seatrial.traffic.engine import Engine
from seatrial.traffic.plan import ChosenTarget, Exchange, OpenLoop


def endpoint(pod, address="127.0.0.1", **conditions):
    return {"addresses": [address], "conditions": conditions, "targetRef": {"kind": "Pod", "name": pod}}


def piece(*endpoints, name="web-1", port=8080, port_name="http"):
    return {"metadata": {"name": name}, "endpoints": list(endpoints), "ports": [{"name": port_name, "port": port}]}


READY = {"ready": True, "serving": True, "terminating": False}
DRAINING = {"ready": False, "serving": True, "terminating": True}


@pytest.mark.parametrize(
    ("endpoints", "chosen"),
    [
        ([endpoint("a", **READY), endpoint("b", **READY)], {"a", "b"}),
        ([endpoint("a", **READY), endpoint("b", **DRAINING)], {"a"}),
        ([endpoint("a", **READY), endpoint("b", ready=False, serving=False, terminating=False)], {"a"}),
        ([endpoint("a", **DRAINING), endpoint("b", **DRAINING)], {"a", "b"}),
        ([endpoint("a", **DRAINING), endpoint("b", ready=False, serving=False, terminating=True)], {"a"}),
        ([endpoint("a", ready=False, serving=False, terminating=False)], set()),
        ([endpoint("a")], {"a"}),  # no conditions: ready
        ([], set()),
    ],
)
def test_ready_endpoints_are_chosen_and_draining_ones_only_when_all_drain(endpoints, chosen):
    assert {found.pod for found in candidates([piece(*endpoints)], "http")} == chosen


def test_endpoints_of_all_slices_count_and_the_port_is_the_named_one():
    slices = [
        piece(endpoint("a", "10.0.0.1", **READY)),
        piece(endpoint("b", "10.0.0.2", **READY), name="web-2", port=9090),
        piece(endpoint("c", "10.0.0.3", **READY), name="web-3", port_name="metrics"),
        {"metadata": {"name": "web-4"}, "endpoints": None, "ports": None},
    ]
    found = candidates(slices, "http")
    assert [(one.host, one.port, one.pod) for one in found] == [("10.0.0.1", 8080, "a"), ("10.0.0.2", 9090, "b")]


def test_of_a_service_with_several_ports_the_named_one_is_taken_wherever_it_stands():
    ports = [{"name": "metrics", "port": 9000}, {"name": "http", "port": 4180}]
    part = {"metadata": {"name": "web-1"}, "endpoints": [endpoint("a", "10.0.0.1", **READY)], "ports": ports}
    assert [one.port for one in candidates([part], "http")] == [4180]


def test_a_port_without_a_name_is_the_only_one():
    part = {"metadata": {"name": "web-1"}, "endpoints": [endpoint("a", "10.0.0.1", **READY)], "ports": [{"port": 80}]}
    assert [one.port for one in candidates([part], "")] == [80]
    assert candidates([part], "http") == []


class Api:
    """A Kubernetes API with one Service's EndpointSlices; tests push watch events."""

    def __init__(self, *items):
        self.items = list(items)
        self.watches = []
        self.requests = []

    async def serve(self, reader, writer):
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(request.split(" ")[1])
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        if "watch=1" in request:
            self.watches.append(writer)
            return
        self.send(writer, {"metadata": {"resourceVersion": "5"}, "items": self.items})
        writer.write(b"0\r\n\r\n")

    def send(self, writer, message):
        data = orjson.dumps(message) + b"\n"
        for part in (data[:20], data[20:]):  # a line may come in pieces
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))

    def push(self, kind, item):
        self.send(self.watches[-1], {"type": kind, "object": item})


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_changes_of_the_endpoints_are_followed_also_over_a_broken_watch():
    api = Api(piece(endpoint("a", **READY)))
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    watch = Watch(ChosenTarget("web", "ns", "http", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    await watch.start()
    assert watch.choose().pod == "a"
    await until(lambda: api.watches)
    assert api.requests[0].startswith("/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices?labelSelector=")
    assert api.requests[1].endswith("service-name%3Dweb&watch=1&resourceVersion=5")

    api.push("MODIFIED", piece(endpoint("b", **READY)))
    await until(lambda: watch.choose() and watch.choose().pod == "b")
    api.push("DELETED", piece(endpoint("b", **READY)))
    await until(lambda: watch.choose() is None)

    api.items = [piece(endpoint("c", **READY))]
    api.watches[-1].transport.abort()
    await until(lambda: watch.choose() and watch.choose().pod == "c")
    watch.stop()
    server.close()


async def test_a_change_is_followed_as_late_as_by_kube_proxy_and_no_later_than_a_list():
    api = Api(piece(endpoint("a", **READY)))
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    watch = Watch(ChosenTarget("web", "ns", "http", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    await watch.start()
    await until(lambda: api.watches)
    began_s = time.monotonic()
    api.push("MODIFIED", piece(endpoint("b", **READY)))
    await until(lambda: watch.choose().pod == "b")
    assert time.monotonic() - began_s >= PROXY_LAG_S

    api.push("MODIFIED", piece(endpoint("a", **READY)))
    await asyncio.sleep(PROXY_LAG_S / 2)  # known, and not followed yet
    api.items = [piece(endpoint("c", **READY))]
    api.watches[-1].transport.abort()
    await until(lambda: watch.choose().pod == "c")
    await asyncio.sleep(PROXY_LAG_S)
    assert watch.choose().pod == "c"
    watch.stop()
    server.close()


async def test_a_connection_goes_to_a_chosen_pod_or_is_refused():
    async def web(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(web, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    chosen = Api(piece(endpoint("a", **READY), endpoint("b", **READY), port=port))
    nobody = Api(piece(endpoint("a", ready=False, serving=False), port=port))
    servers = [await asyncio.start_server(api.serve, "127.0.0.1", 0) for api in (chosen, nobody)]
    urls = [f"http://127.0.0.1:{one.sockets[0].getsockname()[1]}" for one in servers]
    engine = Engine()
    run = await engine.start(
        [
            OpenLoop(stream, ChosenTarget("web", "ns", "http", url), (Exchange("x", "GET", "/"),), [0.0] * 40)
            for stream, url in zip(("chosen", "nobody"), urls, strict=True)
        ],
        time.monotonic(),
    )
    await run.finished
    ledger = run.ledger()
    engine.close()
    for one in (server, *servers):
        one.close()
    assert set(ledger.of("chosen").texts("pod")) == {"a", "b"}
    assert set(ledger.of("chosen").status) == {200}
    assert set(ledger.of("nobody").texts("error")) == {"refused"}
