"""The volumes of one pod as folders of this machine."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seatrial.clusters.local.kubelet import payload
from seatrial.clusters.local.kubelet.environment import ConfigError, Find, expand
from seatrial.clusters.local.kubelet.payload import File, NotReady
from seatrial.clusters.local.kubelet.process import Mount

Obj = dict[str, Any]


def claim_folder(claims: Path, claim: Obj) -> Path:
    """Where the data of a PersistentVolumeClaim lives, which outlives its pods."""
    metadata = claim["metadata"]
    return claims / f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}"


class Volumes:
    """Makes and refreshes them. `claims` is the folder of all PersistentVolumeClaims."""

    def __init__(self, folder: Path, claims: Path, find: Find) -> None:
        self._folder, self._claims, self._find = folder, claims, find
        self._sources: dict[str, Path] = {}
        self._payloads: dict[str, Mapping[str, File]] = {}

    def set_up(self, pod: Obj) -> None:
        """Make all volumes of the pod. Raises NotReady; may then be called again."""
        for volume in pod["spec"].get("volumes") or ():
            if volume["name"] in self._sources:
                continue
            try:
                self._sources[volume["name"]] = self._make(volume, pod)
            except NotReady as error:
                raise NotReady(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from None

    def refresh(self, pod: Obj) -> None:
        """Write what changed in the API objects behind the volumes; what has vanished stays as it was."""
        for volume in pod["spec"].get("volumes") or ():
            if not payload.is_payload(volume) or volume["name"] not in self._sources:
                continue
            try:
                self._write_payload(volume, pod)
            except NotReady:
                continue

    def mounts(self, container: Obj, env: Mapping[str, str]) -> list[Mount]:
        """The container's volumeMounts. Raises ConfigError for one that cannot be."""
        return [self._mount(mount, env) for mount in container.get("volumeMounts") or ()]

    def _mount(self, mount: Obj, env: Mapping[str, str]) -> Mount:
        volume = self._sources.get(mount["name"])
        if volume is None:
            raise ConfigError(f'volumeMount "{mount["name"]}": the pod has no such volume')
        sub = expand(mount["subPathExpr"], env) if mount.get("subPathExpr") else mount.get("subPath", "")
        if ".." in Path(sub).parts or sub.startswith("/"):
            raise ConfigError(f'volumeMount "{mount["name"]}": subPath must stay in the volume, found {sub!r}')
        source = volume / sub
        if not source.exists():
            source.mkdir(parents=True)
        # Resolved, so that a file of a ConfigMap stays the one of this moment, as with every subPath.
        resolved = source.resolve() if sub else source
        return Mount(str(resolved), mount["mountPath"], bool(mount.get("readOnly")))

    def _make(self, volume: Obj, pod: Obj) -> Path:
        own = self._folder / str(volume["name"])
        if payload.is_payload(volume):
            self._write_payload(volume, pod)
            return own
        if "persistentVolumeClaim" in volume:
            claim = str(volume["persistentVolumeClaim"]["claimName"])
            return self._bound_claim(claim)
        if "hostPath" in volume:
            return _host_path(volume["hostPath"])
        if kind := unknown_kind(volume):
            raise NotReady(f"the local cluster has no volumes of kind {kind}")
        return _shared(own)

    def _write_payload(self, volume: Obj, pod: Obj) -> None:
        files = payload.files_of(volume, pod, self._find)
        if self._payloads.get(volume["name"]) != files:
            payload.write(self._folder / volume["name"], files)
            self._payloads[volume["name"]] = files

    def _bound_claim(self, name: str) -> Path:
        claim = self._find("persistentvolumeclaims", name)
        if claim is None:
            raise NotReady(f'persistentvolumeclaim "{name}" not found')
        if (claim.get("status") or {}).get("phase") != "Bound":
            raise NotReady(f'persistentvolumeclaim "{name}" is not bound')
        return _shared(claim_folder(self._claims, claim))


def _shared(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)  # whoever the containers run as
    return folder


def unknown_kind(volume: Obj) -> str:
    """The kind of a volume that no folder can stand for; "" for all others."""
    known = {"name", "emptyDir", "persistentVolumeClaim", "hostPath"}
    return "" if payload.is_payload(volume) else ", ".join(sorted(set(volume) - known))


HOST_PATHS: dict[str, tuple[str, Callable[[Path], bool]]] = {
    "": ("path", Path.exists),
    "Directory": ("directory", Path.is_dir),
    "DirectoryOrCreate": ("directory", Path.is_dir),
    "File": ("file", Path.is_file),
    "FileOrCreate": ("file", Path.is_file),
    "Socket": ("socket", Path.is_socket),
    "CharDevice": ("character device", Path.is_char_device),
    "BlockDevice": ("block device", Path.is_block_device),
}


def missing_on_host(source: Obj) -> str:
    """Why a hostPath cannot be mounted; "" where it can. Only what is there: pods leave no folders on this machine.

    Source: Kubernetes, "Volumes", hostPath volume types.
    """
    noun, fits = HOST_PATHS[source.get("type") or ""]
    return "" if fits(Path(source["path"])) else f"{source['path']} is no {noun} of this machine"


def _host_path(source: Obj) -> Path:
    if missing := missing_on_host(source):
        raise NotReady(f"hostPath type check failed: {missing}")
    return Path(source["path"])
