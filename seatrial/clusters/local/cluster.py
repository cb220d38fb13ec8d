"""The embedded cluster as the rest of Seatrial sees it: a process that is started, asked and ended."""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from seatrial.clusters.base import Address
from seatrial.clusters.local.kubelet.images import ImageMap, ImageNotFound, SharedImages
from seatrial.clusters.local.lacks import lacks
from seatrial.clusters.local.overlooks import overlooks
from seatrial.clusters.local.programs import missing_programs
from seatrial.clusters.recipe import Recipe
from seatrial.contract.services import ports_of
from seatrial.errors import ClusterError, InputError

UP_WITHIN_S = 30.0
PID_FILE, IMAGES_FILE = "node.pid", "images.json"
DOWN_WITHIN_S = 10.0


class LocalCluster:
    """A cluster of its own for this object; it ends with `down`, and at the latest with this process.

    Images are processes: those that `processes` names (IMAGE=COMMAND), and those that `take_in` is given a recipe of.
    Its files are in a new folder below `root`, by default `STATE/seatrial/local`. Raises InputError for a malformed
    IMAGE=COMMAND.
    """

    name: Final = "local"
    certificate: Final = "preflight"
    is_ours: Final = True
    context: Final = None
    pulls: Final = False

    def __init__(self, *, processes: Sequence[str] = (), root: Path | None = None) -> None:
        self._images = ImageMap.of_processes(processes)
        self._root = (root or state_folder()) / uuid.uuid4().hex[:8]
        self._process: subprocess.Popen[bytes] | None = None
        self._said: dict[str, Any] = {}

    def up(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._root.mkdir(parents=True, exist_ok=True)
        self._share_images()
        with (self._root / "node.log").open("ab") as log:
            # Our end of stdin closes with this process, however that ends, and the cluster with it.
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        (self._root / PID_FILE).write_text(str(self._process.pid))
        try:
            self._said = self._first_line(self._process)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(DOWN_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()  # its containers die with it
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        shutil.rmtree(self._root, ignore_errors=True)

    def kubeconfig(self) -> Path:
        return Path(self._up()["kubeconfig"])

    @property
    def isolation(self) -> str:
        """How containers are kept apart on this machine, for the run record."""
        return str(self._up()["isolation"])

    def lacks(self, manifests: Sequence[Mapping[str, Any]]) -> list[str]:
        return [*lacks(manifests), *missing_programs(manifests, self._images)]

    def overlooks(self, manifests: Sequence[Mapping[str, Any]]) -> list[str]:
        return overlooks(manifests)

    def take_in(self, image: str, recipe: Recipe | None) -> None:
        """A process stands for it from now on; each recipe is for this cluster alone."""
        self._up()
        if recipe is not None:
            self._images = self._images.with_recipe(recipe)
            self._share_images()
        try:
            self._images.find(image)
        except ImageNotFound as error:
            raise InputError(str(error)) from None

    def pod_image(self, image: str) -> str:
        return image

    def address(self, namespace: str, service: str, port: int) -> Address:
        found = self._get(f"/api/v1/namespaces/{namespace}/services/{service}")
        names = {offered["port"]: offered.get("name", "") for offered in ports_of(found)}
        if port not in names:
            raise InputError(
                f"Service {namespace}/{service}: expected port {port}, found {[*names]}; give one of these"
            )
        return Address(
            namespace=namespace,
            service=service,
            host=f"{service}.{namespace}.svc.cluster.local",
            port=port,
            generator="process",
            choose_endpoints=True,
            port_name=names[port],
        )

    def versions(self) -> dict[str, str]:
        return {"kubernetes": str(self._get("/version")["gitVersion"]), "isolation": self.isolation}

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "seatrial.clusters.local.node", "--root", str(self._root)]

    def _share_images(self) -> None:
        SharedImages(self._root / IMAGES_FILE).write(self._images)

    def _first_line(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        """What the process says once it is up. Raises what it raised, or ClusterError."""
        assert process.stdout is not None
        deadline_s = time.monotonic() + UP_WITHIN_S
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], max(deadline_s - time.monotonic(), 0))
            if not ready:
                raise ClusterError(f"local cluster: expected it to be up within {UP_WITHIN_S:.0f} s{self._log_end()}")
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                raise ClusterError(f"local cluster: expected it to start, found that it ended{self._log_end()}")
            line += chunk
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise (InputError if said["exit_code"] == InputError.exit_code else ClusterError)(said["error"])
        return said

    def _log_end(self) -> str:
        lines = (self._root / "node.log").read_text(errors="replace").strip().splitlines()
        return f"; its last words: {lines[-1]}" if lines else ""

    def _up(self) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            raise ClusterError("local cluster: expected it to be up, found it is not; call up() first")
        return self._said

    def _get(self, path: str) -> dict[str, Any]:
        url = f"{self._up()['url']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            said = json.load(error).get("message", error.reason)
            raise (InputError if error.code == 404 else ClusterError)(f"local cluster: {said}") from None
        except OSError as error:
            raise ClusterError(f"local cluster: expected an answer from {url}, found {error}") from None
        return found


def isolation_offered() -> str:
    """How containers would be kept apart on this machine; "" where nothing keeps them apart."""
    from seatrial.clusters.local.kubelet.isolation import probe

    found = asyncio.run(probe())
    return str(found) if found.namespaces else ""


def state_folder() -> Path:
    """Where the folders of all local clusters are; what a killed run leaves is there."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "seatrial" / "local"


def remove_leftovers() -> list[Path]:
    """Delete the folders of local clusters whose process has ended; which ones they were."""
    removed = []
    for file in state_folder().glob(f"*/{PID_FILE}"):
        text = file.read_text()
        if not (text.isdigit() and _is_node(int(text))):
            shutil.rmtree(file.parent, ignore_errors=True)
            removed.append(file.parent)
    return removed


def _is_node(pid: int) -> bool:
    try:
        return b"seatrial.clusters.local.node" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
