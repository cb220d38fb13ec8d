"""What Seatrial has to know of a dependency to bring it: one class for each kind, in a file of its own beside this one.

Pure: from the contract to what its pod runs. Where images are run, that is an image of the real thing; on the embedded
cluster, whose pods are processes of this machine, it is a program that is installed here.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from seatrial.errors import InputError, in_words

FILES = "/etc/seatrial-dependency"  # where a server finds its files
DATA = "/data"  # where it may write; kept when its container is started again
CONFIG_BYTES = 1_000_000  # of a ConfigMap, whose object may have 1 MiB
DONE = "seatrial: done"


@dataclass(frozen=True, slots=True)
class Server:
    """What the pod behind a gate runs. $POD_IP is in its environment, on which it listens at the kind's port."""

    image: str
    stands_by: str  # for the record: what it is, as far as known before it runs
    command: tuple[str, ...] = ()  # in place of the image's own
    args: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)  # kept in a Secret
    files: Mapping[str, str] = field(default_factory=dict)  # by name, in FILES
    user: int | None = None
    proof: tuple[str, ...] = ()  # a command in it that says its version and then DONE, once it answers
    seed: tuple[str, ...] = ()  # a command in it that fills it, once, and then says DONE


@dataclass(frozen=True, slots=True)
class Objects:
    """What is put into an object store before the release is there: files by the names of their objects."""

    bucket: str
    access_key: str
    secret_key: str
    files: Mapping[str, Path]


class Kind(Protocol):
    """One dependency, as the contract asks for it.

    Every method raises InputError for what is wrong with the contract's files or missing on this machine.
    """

    @property
    def port(self) -> int:
        """Where its server listens in its own pod."""

    @property
    def speaks_http(self) -> bool:
        """Whether the gate can count requests."""

    def credentials(self, host: str, port: int) -> dict[str, str]:
        """By role, for a client that finds it at host and port."""

    def by_image(self, agent: str) -> Server:
        """Where pods run images. `agent` is the name of Seatrial's own there."""

    def by_process(self, agent: str) -> Server:
        """Where pods are processes of this machine. `agent` is the image whose pods run any command."""

    def objects(self) -> Objects | None:
        """What has to be stored in it over its own protocol."""


def random_text() -> str:
    """A credential: 32 letters and digits."""
    return secrets.token_hex(16)


def text_of(file: Path, key: str) -> str:
    """The text of a file that goes into a ConfigMap. Raises InputError for one that cannot."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        raise InputError(
            f"{key}: expected a text file, found {in_words(broken)}; correct the name or the file"
        ) from None
    if len(text.encode()) > CONFIG_BYTES:
        raise InputError(
            f"{key}: expected at most {CONFIG_BYTES} bytes, which a ConfigMap can hold, found {len(text.encode())} in "
            f"{file}; shorten it"
        )
    return text
