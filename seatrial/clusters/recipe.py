"""A recipe: how clusters of this machine come by one container image.

A contract names the files of its images (`images: [../images/shop.image.yaml]`), and for no other chart does a file
mean anything, whatever that chart calls its images. Seatrial's own images have such files, too.

    image: acme/shop                                   # repository
    tag: "1.4.0"                                       # optional: no other tag is meant
    dockerfile: Dockerfile                             # how kind's image is built; without it nothing is
    context: .                                         # optional, from the file's folder
    target: shop                                       # optional
    process:                                           # what stands for it on the embedded cluster
      command: ["{python}", "-m", "shop"]              # the image's entrypoint
      env: {PYTHONPATH: "{images}", HOST: "{pod_ip}"}  # the image's environment, optional
      user: 1000                                       # the image's user, optional, default 0
      working_dir: "{images}"                          # optional, default /

Placeholders of a process: {python} is the interpreter that runs Seatrial, {images} the folder of the file, {pod_ip}
the pod's address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from seatrial.documents import UniqueKeys, read_yaml
from seatrial.errors import InputError


@dataclass(frozen=True, slots=True)
class Build:
    """What Docker makes the image from."""

    dockerfile: Path
    context: Path
    target: str
    include: tuple[str, ...] = ()  # of the context; all of it where none is named
    content: tuple[str, ...] = ()  # folders that come with the package, whether a checkout or a wheel


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """What runs in place of the image, and of programs in it that pods call by name; placeholders and all."""

    command: tuple[str, ...]
    programs: Mapping[str, tuple[str, ...]]
    env: Mapping[str, str]
    user: int
    working_dir: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """One image; at least one of `build` and `process` is there."""

    file: Path
    repository: str
    tag: str | None  # None: it is good for every tag
    build: Build | None
    process: Entrypoint | None

    @property
    def image(self) -> str:
        """The image, with the tag that is meant or, where any is, the usual one."""
        return f"{self.repository}:{self.tag or 'latest'}"

    def makes(self, image: str) -> bool:
        """Whether `image`, as a pod names it, is this one."""
        repository, tag = split_reference(image)
        return repository == self.repository and self.tag in (None, tag)


class _Process(BaseModel):
    model_config = ConfigDict(extra="forbid")
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    programs: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    env: dict[str, str] = {}
    user: int = 0
    working_dir: str = "/"


class _ImageFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    image: Annotated[str, Field(min_length=1)]
    tag: str | None = None
    dockerfile: str | None = None
    context: str = "."
    target: str = ""
    include: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    process: _Process | None = None

    @model_validator(mode="after")
    def _makes_something(self) -> _ImageFile:
        if self.dockerfile is None and self.process is None:
            raise ValueError("expected `dockerfile`, `process` or both, found neither; say how clusters get the image")
        return self


ENGINE = Path(__file__).resolve().parent.parent.parent  # holds the package: a checkout, or where a wheel was installed


def read_recipe(file: Path) -> Recipe:
    """The recipe in a file. Raises InputError naming the file and the key."""
    document = read_yaml(file, "a recipe of an image", UniqueKeys)
    try:
        read = _ImageFile.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f", {part}" for part in (".".join(map(str, first["loc"])),) if part)
        said = str(first["msg"]).removeprefix("Value error, ")
        do = "" if said.startswith("expected ") else "; docs/contract.md lists the keys of a recipe"
        raise InputError(f"{file}{where}: {said}{do}") from None
    build = None
    if read.dockerfile is not None:
        context = (file.parent / read.context.replace("{engine}", str(ENGINE))).resolve()
        build = Build(file.parent / read.dockerfile, context, read.target, read.include, read.content)
    process = None
    if read.process is not None:
        process = Entrypoint(
            read.process.command, read.process.programs, read.process.env, read.process.user, read.process.working_dir
        )
    return Recipe(file.resolve(), split_reference(read.image)[0], read.tag, build, process)


def split_reference(reference: str) -> tuple[str, str]:
    """Repository (without Docker Hub's implied prefixes) and tag of an image reference."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    repository = f"{head}{slash}{last}"
    for prefix in ("docker.io/library/", "docker.io/"):
        repository = repository.removeprefix(prefix)
    return repository, tag or "latest"
