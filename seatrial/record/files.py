"""Files that are either whole or absent, and the manifest that tells whether they are still the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seatrial.errors import InputError, SeatrialError, in_words

MANIFEST = "manifest.json"
_AT_ONCE = 1 << 20


class Damage(NamedTuple):
    """A file of the record, and what is wrong with it."""

    file: str
    what: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Size and SHA-256 of a file, or of the part of it that was there when the manifest was written."""

    size: int
    sha256: str


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that whoever is killed or reads meanwhile finds the old one or the new one.

    Raises SeatrialError where there is no room for it.
    """
    # Hidden and beside its target: on one file system, and no part of the record if left behind.
    unfinished = path.with_name(f".{path.name}.tmp")
    with wanting_room(path):
        try:
            unfinished.write_bytes(data)
            os.replace(unfinished, path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise


@contextmanager
def wanting_room(path: Path) -> Iterator[None]:
    """Where a part of a record cannot be written, that is said as a SeatrialError."""
    try:
        yield
    except OSError as refused:
        raise SeatrialError(
            f"{path}: expected room for the record of the run, found {refused.strerror}; "
            "free room there, or keep records elsewhere"
        ) from refused


def fingerprint(data: bytes) -> Fingerprint:
    """Of a file's whole content."""
    return Fingerprint(len(data), hashlib.sha256(data).hexdigest())


def fingerprint_of(path: Path, size: int | None = None) -> Fingerprint:
    """Of a file, or of its first `size` bytes; never more than a piece of it in memory. Raises OSError."""
    digest, read = hashlib.sha256(), 0
    with path.open("rb") as opened:
        while piece := opened.read(_AT_ONCE if size is None else min(_AT_ONCE, size - read)):
            digest.update(piece)
            read += len(piece)
    return Fingerprint(read, digest.hexdigest())


def write_manifest(folder: Path, files: dict[str, Fingerprint]) -> None:
    """Files by their path within the folder, with forward slashes."""
    listed = {name: {"bytes": of.size, "sha256": of.sha256} for name, of in sorted(files.items())}
    write_whole(folder / MANIFEST, (json.dumps({"files": listed}, indent=1) + "\n").encode("ascii"))


def read_manifest(folder: Path) -> dict[str, Fingerprint]:
    """Raises InputError if there is none or it is not one."""
    path = folder / MANIFEST
    try:
        listed = json.loads(path.read_bytes())["files"]
        return {str(name): Fingerprint(int(of["bytes"]), str(of["sha256"])) for name, of in listed.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: expected the manifest of a run record, found {in_words(error)}; "
            "name the folder of one run, as `seatrial certify` printed it"
        ) from error


def files_in(folder: Path) -> Iterator[str]:
    """Every file but the manifest and those that begin with a dot, as the manifest names them."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(".") and path != folder / MANIFEST:
            yield path.relative_to(folder).as_posix()


def compare(folder: Path, name: str, expected: Fingerprint, may_have_grown: bool) -> str:
    """What is wrong with one file, "" if nothing. One that was being appended to may have grown since."""
    path = folder / name
    try:
        size = path.stat().st_size
        found = fingerprint_of(path, expected.size if may_have_grown else None)
    except FileNotFoundError:
        return f"expected {expected.size} bytes with SHA-256 {expected.sha256}, found no file"
    except OSError as error:
        return f"expected {expected.size} bytes with SHA-256 {expected.sha256}, found {in_words(error)}"
    if size < expected.size:
        return f"expected {expected.size} bytes with SHA-256 {expected.sha256}, found {size} bytes: cut short"
    if found != expected:
        return (
            f"expected {expected.size} bytes with SHA-256 {expected.sha256}, "
            f"found {found.size} bytes with SHA-256 {found.sha256}: changed since it was recorded"
        )
    return ""
