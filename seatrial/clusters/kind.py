"""kind: Kubernetes in Docker, on this machine.

pytest-kind creates and deletes the cluster. What it needs to be usable here is in this file: it would download
its own, old kind and kubectl rather than take those on PATH; it leaves a folder in the working directory; it
cannot reuse a cluster whose kubeconfig it has not written itself; it does not wait for nodes; and it lets the
output of the tools through to stdout, where results belong.
"""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kubernetes import client

from seatrial.clusters import docker
from seatrial.clusters.base import Address
from seatrial.clusters.connection import ask, connect, contexts, in_cluster_address, kubernetes_version
from seatrial.clusters.nodes import without_a_node
from seatrial.clusters.recipe import Recipe
from seatrial.errors import ClusterError, InputError
from seatrial.programs import on_path

NODE_IMAGE = "kindest/node:v1.34.4"
NODES_READY_WITHIN_S = 180.0


class KindCluster:
    """A kind cluster by name: attached to when it runs, else created, and then deleted by `down`.

    A kubeconfig is looked for in `kubeconfig`, $SEATRIAL_KIND_KUBECONFIG and $KUBECONFIG, in this order; one
    that has the context `kind-NAME` is used as it is, and then the kind program is needed to load images only.
    """

    name: Final = "kind"
    certificate: Final = "certified"
    is_ours: Final = True
    pulls: Final = True

    def __init__(
        self,
        cluster: str = "seatrial",
        *,
        kubeconfig: Path | None = None,
        node_image: str = NODE_IMAGE,
        config: Path | None = None,
    ) -> None:
        self.cluster = cluster
        self.node_image = node_image
        self.config = config  # of kind itself: nodes, port mappings
        self._given = kubeconfig
        self._kubeconfig: Path | None = None
        self._created = False
        self._api: client.ApiClient | None = None

    @property
    def context(self) -> str:
        return f"kind-{self.cluster}"

    def up(self) -> None:
        if self._api is None:
            self._use(self._running_kubeconfig() or self._exported_kubeconfig() or self._created_kubeconfig())

    def attach(self) -> None:
        """Use the cluster if it runs; raises ClusterError if it does not, rather than create one."""
        if self._api is None:
            kubeconfig = self._running_kubeconfig() or self._exported_kubeconfig()
            if kubeconfig is None:
                raise ClusterError(f"expected a running kind cluster named {self.cluster}, found none; create it first")
            self._use(kubeconfig)

    def down(self) -> None:
        if self._created:
            _run("kind", "delete", "cluster", "--name", self.cluster, "--kubeconfig", str(self.kubeconfig()))
            self.kubeconfig().unlink(missing_ok=True)
        self._api = self._kubeconfig = None
        self._created = False

    def kubeconfig(self) -> Path:
        if self._kubeconfig is None:
            raise ClusterError(f"kind cluster {self.cluster}: expected it to be up, found it is not; call up() first")
        return self._kubeconfig

    def take_in(self, image: str, recipe: Recipe | None) -> None:
        """Built where its recipe says how, loaded where this machine's Docker has it; the nodes pull what is left."""
        if recipe is not None and recipe.build is not None and recipe.makes(image):
            docker.build(image, recipe.build)
        elif not docker.has(image):
            return
        self.load_image(image)

    def load_image(self, image: str) -> None:
        """Raises InputError for an image that this machine's Docker does not have."""
        try:
            _run("kind", "load", "docker-image", "--name", self.cluster, image)
        except ClusterError as error:
            if "not present locally" in str(error):
                raise InputError(
                    f"{image}: expected an image in this machine's Docker, found none; build or pull it first"
                ) from None
            raise

    def pod_image(self, image: str) -> str:
        return image

    def lacks(self, manifests: Sequence[Mapping[str, Any]]) -> list[str]:
        """By its nodes, which stay as they are. Nothing is known before it is up."""
        api = self._api
        if api is None:
            return []
        plain: Callable[[Any], Any] = api.sanitize_for_serialization
        nodes = plain(ask(lambda: client.CoreV1Api(api).list_node(), api))
        classes = ask(lambda: client.NodeV1Api(api).list_runtime_class(), api)
        return list(without_a_node(manifests, nodes["items"], {found.metadata.name for found in classes.items}))

    def overlooks(self, manifests: Sequence[Mapping[str, Any]]) -> list[str]:
        return []

    def address(self, namespace: str, service: str, port: int) -> Address:
        return in_cluster_address(self._up_api(), namespace, service, port)

    def versions(self) -> dict[str, str]:
        api = self._up_api()
        node = ask(lambda: client.CoreV1Api(api).list_node(), api).items[0].status.node_info
        return {
            "kubernetes": kubernetes_version(api),
            "container runtime": node.container_runtime_version,
            "kernel": node.kernel_version,
        }

    def _up_api(self) -> client.ApiClient:
        self.kubeconfig()
        assert self._api is not None
        return self._api

    def _running_kubeconfig(self) -> Path | None:
        """A kubeconfig that knows this cluster, or None. Raises InputError for a given file that does not."""
        if self._given is not None:
            if self._given.exists() and self.context not in contexts(self._given):
                raise InputError(
                    f"{self._given}: expected the context {self.context}, found {', '.join(contexts(self._given))}; "
                    "give the kubeconfig of that kind cluster, or a path where none is yet"
                )
            return self._given if self._given.exists() else None
        for variable in ("SEATRIAL_KIND_KUBECONFIG", "KUBECONFIG"):
            # A list of files, as KUBECONFIG may be, names no single file to hand on.
            file = Path(os.environ.get(variable, "")).expanduser()
            if file.is_file() and self.context in contexts(file):
                return file
        return None

    def _exported_kubeconfig(self) -> Path | None:
        """What kind itself says about this cluster; None if it does not run."""
        if self.cluster not in _run("kind", "get", "clusters").split():
            return None
        kubeconfig = self._own_kubeconfig()
        _run("kind", "export", "kubeconfig", "--name", self.cluster, "--kubeconfig", str(kubeconfig))
        return kubeconfig

    def _created_kubeconfig(self) -> Path:
        kubeconfig = self._own_kubeconfig()
        self._kubeconfig, self._created = kubeconfig, True  # so that `down` removes what a failure leaves behind
        _create(self.cluster, kubeconfig, self.node_image, self.config)
        return kubeconfig

    def _own_kubeconfig(self) -> Path:
        kubeconfig = self._given or _state_folder() / f"kind-{self.cluster}.kubeconfig"
        kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        return kubeconfig

    def _use(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._api = connect(kubeconfig, self.context)
        self._await_nodes(self._api)

    def _await_nodes(self, api: client.ApiClient) -> None:
        deadline = time.monotonic() + NODES_READY_WITHIN_S
        while waiting := _unready(ask(lambda: client.CoreV1Api(api).list_node(), api).items):
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"kind cluster {self.cluster}: expected all nodes Ready within {NODES_READY_WITHIN_S:.0f} s, "
                    f"found {', '.join(waiting)} not; see `kind export logs --name {self.cluster}`"
                )
            time.sleep(0.5)


def _create(cluster: str, kubeconfig: Path, node_image: str, config: Path | None) -> None:
    try:
        from pytest_kind import KindCluster as PytestKind  # an optional extra, for its licence
    except ImportError:
        raise ClusterError(
            "expected pytest-kind to create a kind cluster, found it is not installed; pip install 'seatrial[kind]', "
            f"or create one named {cluster} with kind itself"
        ) from None

    class OnPath(PytestKind):  # type: ignore[misc]
        def __init__(self) -> None:  # the inherited one makes a folder in the working directory
            self.name, self.image, self.kubeconfig_path = cluster, node_image, kubeconfig
            self.kind_path, self.kubectl_path = Path(_program("kind")), Path(_program("kubectl"))

        def ensure_kind(self) -> None: ...  # nothing is downloaded
        def ensure_kubectl(self) -> None: ...

    try:
        OnPath().create(config)
    except subprocess.CalledProcessError as error:
        raise ClusterError(
            f"expected kind to create a cluster of {node_image}, found exit status {error.returncode}; "
            "its output is above; is the Docker engine running, and is that image in it?"
        ) from None


def _unready(nodes: list[Any]) -> list[str]:
    return [
        node.metadata.name
        for node in nodes
        if not any(condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions)
    ]


def _program(name: str) -> str:
    program = on_path(name)
    if not program.runs:
        raise ClusterError(
            f"expected the program `{name}` on PATH, found {program.found}; install it, or use the local cluster"
        )
    return str(program.path)


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run([_program(program), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"expected `{program} {' '.join(arguments)}` to succeed; it says: {done.stderr.strip()}")
    return done.stdout


def _state_folder() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "seatrial"
