"""Which process stands for which container image on this machine.

A file `charts/images/NAME.image.yaml` maps one repository:

    image: shop/api                      # repository without tag
    tag: "1.4.0"                         # optional: any other tag cannot be pulled
    process:
      command: ["{python}", "-m", "shop_api"]          # the image's entrypoint
      env: {PYTHONPATH: "{images}", HOST: "{pod_ip}"}  # the image's environment, optional
      user: 1000                                       # the image's user, optional, default 0
      working_dir: "{images}"                          # optional, default /

Placeholders: {python} is the interpreter that runs Seatrial, {images} the folder of the file, {pod_ip} the
pod's address. Repositories that begin with `python`, `debian` or `busybox` stand for this machine: they run
the pod's own command.
"""

import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seatrial.errors import InputError

THIS_MACHINE = ("python", "debian", "busybox")


class ImageNotFound(Exception):
    """No process stands for this image; the message says how to name one."""


class _Process(BaseModel):
    model_config = ConfigDict(extra="forbid")
    command: Annotated[list[str], Field(min_length=1)]
    env: dict[str, str] = {}
    user: int = 0
    working_dir: str = "/"


class _ImageFile(BaseModel):
    # How the image is built for other clusters stands beside it.
    model_config = ConfigDict(extra="ignore")
    image: Annotated[str, Field(min_length=1)]
    tag: str | None = None
    process: _Process


@dataclass(frozen=True, slots=True)
class Image:
    """What an image brings along: entrypoint, environment, user, working folder."""

    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: int = 0
    working_dir: str = "/"
    tag: str | None = None  # None: every tag exists
    folder: Path | None = None  # the processes of the image read files here

    def at(self, pod_ip: str) -> "Image":
        """With the placeholders filled in."""
        values = {"{python}": sys.executable, "{images}": str(self.folder or ""), "{pod_ip}": pod_ip}

        def fill(text: str) -> str:
            for placeholder, value in values.items():
                text = text.replace(placeholder, value)
            return text

        return Image(
            command=tuple(map(fill, self.command)),
            env={name: fill(value) for name, value in self.env.items()},
            user=self.user,
            working_dir=fill(self.working_dir),
            tag=self.tag,
            folder=self.folder,
        )


@dataclass(frozen=True, slots=True)
class ImageMap:
    """The images that this machine can run, by repository."""

    images: Mapping[str, Image]

    @classmethod
    def read(cls, folders: Iterable[Path] = (), processes: Iterable[str] = ()) -> "ImageMap":
        """From `*.image.yaml` files in `folders` and `IMAGE=COMMAND` entries, which go before the files.

        Raises InputError for a malformed file or entry.
        """
        images: dict[str, Image] = {}
        for folder in folders:
            for path in sorted(folder.glob("*.image.yaml")):
                repository, image = _read_file(path)
                images[repository] = image
        images.update(map(_read_entry, processes))
        return cls(images)

    def find(self, reference: str) -> Image:
        """The image for `repository[:tag][@digest]`; raises ImageNotFound."""
        repository, tag = split_reference(reference)
        image = self.images.get(repository)
        if image is not None:
            if image.tag not in (None, tag):
                raise ImageNotFound(f"{repository}:{tag}: not found; the only tag there is, is {image.tag}")
            return image
        if repository.startswith(THIS_MACHINE):
            return Image()
        raise ImageNotFound(
            f"{repository}: not found; the local cluster runs processes instead of images and knows none for "
            f'this one, name it with --process "{repository}=COMMAND"'
        )


def split_reference(reference: str) -> tuple[str, str]:
    """Repository (without Docker Hub's implied prefixes) and tag of an image reference."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    repository = f"{head}{slash}{last}"
    for prefix in ("docker.io/library/", "docker.io/"):
        repository = repository.removeprefix(prefix)
    return repository, tag or "latest"


def _read_file(path: Path) -> tuple[str, Image]:
    try:
        content: Any = yaml.safe_load(path.read_text())
        read = _ImageFile.model_validate(content)
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: expected readable YAML, found: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise InputError(f"{path}, {where}: {first['msg']}; expected image and process.command") from None
    process = read.process
    return split_reference(read.image)[0], Image(
        command=tuple(process.command),
        env=process.env,
        user=process.user,
        working_dir=process.working_dir,
        tag=read.tag,
        folder=path.parent.resolve(),
    )


def _read_entry(entry: str) -> tuple[str, Image]:
    reference, equals, command = entry.partition("=")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"--process {entry!r}: expected IMAGE=COMMAND, found {error}") from None
    if not equals or not reference or not words:
        raise InputError(
            f"--process {entry!r}: expected IMAGE=COMMAND, "
            'such as --process "shop/api=uvicorn app:app --host {pod_ip} --port 8080"'
        )
    return split_reference(reference)[0], Image(command=tuple(words), working_dir=str(Path.cwd()), folder=Path.cwd())
