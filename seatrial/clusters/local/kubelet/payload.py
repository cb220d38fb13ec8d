"""Volumes whose files are made from API objects: ConfigMap, Secret, projected, downward API.

Files are replaced together: they are links through `..data`, a link that is swapped to a new folder.
Source: kubernetes.io/docs/concepts/storage/projected-volumes/ and pkg/volume/util/atomic_writer.go.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.clusters.local.kubelet.environment import (
    ConfigError,
    Find,
    data_of,
    field_value,
    resource_value,
)

Obj = dict[str, Any]

DEFAULT_MODE = 0o644


@dataclass(frozen=True, slots=True)
class File:
    content: bytes
    mode: int


class NotReady(Exception):
    """A volume cannot be made yet; the message is for a FailedMount event."""


def is_payload(volume: Obj) -> bool:
    return any(kind in volume for kind in ("configMap", "secret", "projected", "downwardAPI"))


def files_of(volume: Obj, pod: Obj, find: Find) -> dict[str, File]:
    """The volume's files by relative path. Raises NotReady where a source is missing and not optional."""
    if "projected" in volume:
        projected = volume["projected"]
        mode = projected.get("defaultMode", DEFAULT_MODE)
        files: dict[str, File] = {}
        for source in projected.get("sources") or ():
            files |= _source_files(source, pod, find, mode)
        return files
    kind = next(kind for kind in ("configMap", "secret", "downwardAPI") if kind in volume)
    source = dict(volume[kind])
    if kind == "secret":
        source["name"] = source.get("secretName", "")
    return _source_files({kind: source}, pod, find, source.get("defaultMode", DEFAULT_MODE))


def _source_files(source: Obj, pod: Obj, find: Find, mode: int) -> dict[str, File]:
    if "downwardAPI" in source:
        return {item["path"]: _downward_file(item, pod, mode) for item in source["downwardAPI"].get("items") or ()}
    for kind, resource in (("configMap", "configmaps"), ("secret", "secrets")):
        if kind in source:
            return _object_files(source[kind], resource, pod, find, mode)
    raise NotReady(f"the local cluster cannot project {', '.join(source)}; use configMap, secret or downwardAPI")


def _object_files(reference: Obj, resource: str, pod: Obj, find: Find, mode: int) -> dict[str, File]:
    name, optional = reference.get("name", ""), reference.get("optional", False)
    found = find(resource, name)
    if found is None:
        if optional:
            return {}
        raise NotReady(f'{resource[:-1]} "{name}" not found')
    data = data_of(found)
    if not reference.get("items"):
        return {key: File(content, mode) for key, content in data.items()}
    files = {}
    for item in reference["items"]:
        if item["key"] in data:
            files[item["path"]] = File(data[item["key"]], item.get("mode", mode))
        elif not optional:
            namespace = pod["metadata"]["namespace"]
            raise NotReady(f"{resource[:-1]} references non-existent config key: {item['key']} ({namespace}/{name})")
    return files


def _downward_file(item: Obj, pod: Obj, mode: int) -> File:
    try:
        if "fieldRef" in item:
            value = field_value(item["fieldRef"]["fieldPath"], pod)
        else:
            value = resource_value(item["resourceFieldRef"], pod["spec"]["containers"][0], pod)
    except ConfigError as error:
        raise NotReady(str(error)) from None
    return File(value.encode(), item.get("mode", mode))


def write(folder: Path, files: Mapping[str, File]) -> None:
    """Make the folder show exactly these files, all at once."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "..data"
    old = folder / os.readlink(data) if data.is_symlink() else None
    new = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    new.chmod(0o755)
    for relative, file in files.items():
        path = new / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
    swap = folder / "..data_tmp"
    swap.symlink_to(new.name)
    swap.rename(data)
    shown = {Path(relative).parts[0] for relative in files}
    for name in shown:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data", name))
    for entry in folder.iterdir():
        if entry.is_symlink() and entry.name != "..data" and entry.name not in shown:
            entry.unlink()
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
