"""What the containers of one pod share: address, folders, volumes, names."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

import aiohttp

from seatrial.clusters.local.kubelet import hosts
from seatrial.clusters.local.kubelet.addresses import Addresses
from seatrial.clusters.local.kubelet.changes import Changes
from seatrial.clusters.local.kubelet.events import Recorder
from seatrial.clusters.local.kubelet.images import Images
from seatrial.clusters.local.kubelet.isolation import Isolation
from seatrial.clusters.local.kubelet.process import Mount
from seatrial.clusters.local.kubelet.volumes import Volumes
from seatrial.clusters.local.store import Store

Obj = dict[str, Any]

SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """How pods reach the API server: KUBERNETES_SERVICE_* and the files of a ServiceAccount."""

    host: str
    port: int
    ca: bytes  # certificate, PEM
    token: str  # one for all ServiceAccounts: nothing checks whose it is


@dataclass(slots=True)
class Context:
    """What all pods of the node share. `api` comes last: it is offered once the API server is up."""

    store: Store
    images: Images
    folder: Path
    isolation: Isolation
    recorder: Recorder
    changes: Changes
    http: aiohttp.ClientSession
    addresses: Addresses
    node_name: str
    api: ApiAccess | None = None


class Sandbox:
    """One pod's. `pod` is always the newest object."""

    def __init__(self, context: Context, pod: Obj) -> None:
        self.context = context
        self.pod = pod
        metadata = pod["metadata"]
        self.namespace: str = metadata["namespace"]
        self.name: str = metadata["name"]
        self.uid: str = metadata["uid"]
        self.ip = ""
        self.arrived_at_s = asyncio.get_running_loop().time()
        self.folder = context.folder / "pods" / self.uid
        self.volumes = Volumes(self.folder / "volumes", context.folder / "claims", self.find)

    @property
    def hostname(self) -> str:
        return str(self.pod["spec"].get("hostname") or self.name)[:63]

    def find(self, resource: str, name: str) -> Obj | None:
        """An object of the pod's namespace."""
        return self.context.store.find(resource, self.namespace, name)

    def set_up(self) -> None:
        """Folders, address and names; volumes are made apart, because they may have to wait."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ip = self.context.addresses.take()
        self.refresh_hosts()
        if self.context.api is not None and self._wants_api_access():
            folder = self.folder / "serviceaccount"
            folder.mkdir(exist_ok=True)
            (folder / "ca.crt").write_bytes(self.context.api.ca)
            (folder / "token").write_text(self.context.api.token)
            (folder / "namespace").write_text(self.namespace)

    def _wants_api_access(self) -> bool:
        """The pod decides, else its ServiceAccount, else yes."""
        asked = self.pod["spec"].get("automountServiceAccountToken")
        if asked is None:
            account = self.find("serviceaccounts", self.pod["spec"].get("serviceAccountName") or "default") or {}
            asked = account.get("automountServiceAccountToken", True)
        return bool(asked)

    def refresh_hosts(self) -> None:
        """Let the pod see today's Services."""
        store = self.context.store
        services = store.list("services")
        content = hosts.hosts_file(self.pod, self.ip, services, store.list("endpointslices"))
        hosts.write(self.folder / "hosts", content)

    def mounts(self) -> Sequence[Mount]:
        """What every container of the pod gets besides its volumes."""
        shared = [Mount(str(self.folder / "hosts"), "/etc/hosts")]
        if (self.folder / "serviceaccount").exists():
            shared.append(Mount(str(self.folder / "serviceaccount"), SERVICE_ACCOUNT_FOLDER, read_only=True))
        return shared

    def log_path(self, container: str, run: int) -> Path:
        """Outlives the pod: logs are evidence."""
        return self.context.folder / "logs" / f"{self.namespace}_{self.name}_{self.uid}" / container / f"{run}.log"

    def tear_down(self) -> None:
        """The pod has ended and is gone; its logs and claims stay."""
        rmtree(self.folder, ignore_errors=True)
        if self.ip:
            self.context.addresses.give_back(self.ip)
