"""The process that is the embedded cluster: API server, controllers, kubelet and Service proxy on one loop.

    python -m seatrial.clusters.local.node --root DIR [--detach]

Which processes stand for images is read from DIR/images.json whenever a container starts. Once up it prints one line
of JSON, {"url", "kubeconfig", "isolation"}, and serves until SIGTERM or SIGINT. It also ends when its stdin does, so
that it cannot outlive whoever started it, unless it is told to --detach.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from seatrial.clusters.local.api.kubeconfig import write_kubeconfig
from seatrial.clusters.local.api.server import ApiServer
from seatrial.clusters.local.api_access import SecureFront
from seatrial.clusters.local.controllers.manager import ControllerManager
from seatrial.clusters.local.hooks import NodeHooks
from seatrial.clusters.local.kubelet.images import SharedImages
from seatrial.clusters.local.kubelet.kubelet import Kubelet
from seatrial.clusters.local.proxy import ServiceProxy
from seatrial.clusters.local.store import Store
from seatrial.errors import ClusterError, SeatrialError


class Node:
    """One embedded cluster, in this process. `root` is its folder and belongs to it alone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._store = Store()
        self._secure = SecureFront()
        self._kubelet = Kubelet(self._store, SharedImages(root / "images.json"), root)
        hooks = NodeHooks(self._store, self._kubelet)
        claims = root.resolve() / "claims"
        root_ca = self._secure.certificate.decode()
        self._controllers = ControllerManager(self._store, claims=claims, usage=hooks.pod_usage, root_ca=root_ca)
        self._proxy = ServiceProxy(self._store)
        self._api = ApiServer(self._store, hooks)

    async def start(self) -> dict[str, str]:
        """Bring everything up; what a client needs to know. Raises ClusterError."""
        self._root.mkdir(parents=True, exist_ok=True)
        self._controllers.start()
        self._proxy.start()
        await self._kubelet.start()
        try:
            url = await self._api.start()
            access = await self._secure.start(url)
        except OSError as refusal:
            raise ClusterError(f"API server: expected to listen on 127.0.0.1, found {refusal}") from None
        self._kubelet.offer_api(access)
        self._secure.announce(self._store, access)
        kubeconfig = write_kubeconfig(self._root / "kubeconfig", url)
        return {"url": url, "kubeconfig": str(kubeconfig.resolve()), "isolation": self._kubelet.isolation}

    async def stop(self) -> None:
        """Kill every pod and close every socket; the folder stays."""
        await self._secure.stop()
        await self._api.stop()
        await self._controllers.stop()
        await self._proxy.stop()
        await self._kubelet.stop()


async def serve(root: Path, *, detach: bool) -> None:
    """Be the cluster until told to end."""
    loop = asyncio.get_running_loop()
    told_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_end.set)
    if not detach:
        # Not PDEATHSIG: that is bound to the thread that started us, which may be gone long before its process.
        loop.add_reader(sys.stdin.fileno(), _end_with_stdin, told_to_end)
    node = Node(root)
    try:
        print(json.dumps(await node.start() | {"pid": os.getpid()}), flush=True)
        await told_to_end.wait()
    finally:
        await node.stop()


def _end_with_stdin(told_to_end: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        told_to_end.set()


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 after a stop, else that of the error."""
    parser = argparse.ArgumentParser(prog="seatrial.clusters.local.node", description="The embedded cluster.")
    parser.add_argument("--root", type=Path, required=True, help="the cluster's own folder")
    parser.add_argument("--detach", action="store_true", help="live on when stdin ends")
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(options.root, detach=options.detach))
    except SeatrialError as error:
        print(json.dumps({"error": str(error), "exit_code": error.exit_code}), flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
