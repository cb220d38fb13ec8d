"""Which process stands for which container image on this machine.

A cluster is told of each image by whoever needs it there: by a recipe (`seatrial/clusters/recipe.py`), or by
`--process IMAGE=COMMAND`, which goes before. A pod's own `command` replaces that of its image, as everywhere. For the
program that it calls another process may stand (`--process "IMAGE PROGRAM=COMMAND"`).

Nothing is known by itself but THIS_MACHINE, whose images bring an operating system or an interpreter and no service:
they run the pod's own command, as this machine does.
"""

import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from seatrial.clusters.recipe import Recipe, split_reference
from seatrial.errors import InputError

THIS_MACHINE = ("python", "debian", "busybox")  # repositories, to the letter
OPTION = "--process"
IMAGE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ImageNotFound(Exception):
    """No process stands for this image; the message says how to name one."""


@dataclass(frozen=True, slots=True)
class Image:
    """What an image brings along: entrypoint, programs that pods call by name, environment, user, working folder."""

    command: tuple[str, ...] = ()
    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    user: int = 0
    working_dir: str = "/"
    tag: str | None = None  # None: every tag exists
    folder: str = ""  # the processes of the image read files here
    named_by: str = "this machine"  # the recipe's file, or OPTION

    def at(self, pod_ip: str) -> "Image":
        """With the placeholders filled in."""
        values = {"{python}": sys.executable, "{images}": self.folder, "{pod_ip}": pod_ip}

        def fill(text: str) -> str:
            for placeholder, value in values.items():
                text = text.replace(placeholder, value)
            return text

        return replace(
            self,
            command=tuple(map(fill, self.command)),
            programs={name: tuple(map(fill, command)) for name, command in self.programs.items()},
            env={name: fill(value) for name, value in self.env.items()},
            working_dir=fill(self.working_dir),
        )

    @property
    def id(self) -> str:
        """What a pod's status says as imageID: that a process stood for the image, which one, and who named it.

        The pod's address stays a placeholder, so that all pods of an image have the same.
        """
        filled_in = self.at("{pod_ip}")
        command = shlex.join(filled_in.command) or "the pod's own command"
        programs = "".join(f"; {name}: {shlex.join(words)}" for name, words in filled_in.programs.items())
        return f"process named by {self.named_by}: {command}{programs}"

    def called(self, words: Sequence[str]) -> list[str]:
        """A pod's command: of a program of the image, the process that stands for it takes the first word's place."""
        first, *others = words
        return [*self.programs.get(first, (first,)), *others]


class Images(Protocol):
    """Where a kubelet looks images up."""

    def find(self, reference: str) -> Image:
        """The image for `repository[:tag][@digest]`; raises ImageNotFound."""


@dataclass(frozen=True, slots=True)
class ImageMap:
    """The images that this machine can run, by repository."""

    images: Mapping[str, Image] = field(default_factory=dict)

    @classmethod
    def of_processes(cls, entries: Iterable[str]) -> "ImageMap":
        """From IMAGE=COMMAND entries. Raises InputError for a malformed one."""
        images: dict[str, Image] = {}
        for repository, image in map(_read_entry, entries):
            before = images.get(repository, image)
            programs = {**before.programs, **image.programs}
            images[repository] = replace(image, command=image.command or before.command, programs=programs)
        return cls(images)

    def with_recipe(self, recipe: Recipe) -> "ImageMap":
        """With the process of a recipe beside; what --process named stays."""
        known, process = self.images.get(recipe.repository), recipe.process
        named = known if known and known.named_by == OPTION else Image()
        if process is None or named.command:
            return self
        image = Image(
            command=process.command,
            programs={**process.programs, **named.programs},
            env=process.env,
            user=process.user,
            working_dir=process.working_dir,
            tag=recipe.tag,
            folder=str(recipe.file.parent),
            named_by=str(recipe.file),
        )
        return ImageMap({**self.images, recipe.repository: image})

    def find(self, reference: str) -> Image:
        """The image for `repository[:tag][@digest]`; raises ImageNotFound."""
        repository, tag = split_reference(reference)
        image = self.images.get(repository)
        if image is not None:
            if image.tag not in (None, tag):
                raise ImageNotFound(
                    f"{repository}:{tag}: expected the tag {image.tag}, the only one that {image.named_by} is for, "
                    "found another; correct the tag, or the recipe"
                )
            return image
        if repository in THIS_MACHINE:
            return Image()
        raise ImageNotFound(
            f"{reference}: expected a process that stands for this image on the local cluster, found none; name it "
            f'with --process "{repository}=COMMAND", or a recipe of it under `images` in the contract'
        )


@dataclass(frozen=True, slots=True)
class SharedImages:
    """An ImageMap in a file, which the cluster's owner writes and its kubelet reads, in processes of their own."""

    file: Path

    def write(self, images: ImageMap) -> None:
        """In one step: whoever reads sees the map before or after."""
        entries = {repository: asdict(image) for repository, image in images.images.items()}
        beside = self.file.with_suffix(".new")
        beside.write_text(json.dumps(entries), encoding="utf-8")
        beside.replace(self.file)

    def find(self, reference: str) -> Image:
        """The image for `repository[:tag][@digest]`; raises ImageNotFound."""
        entries = json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}
        return ImageMap({repository: _image(entry) for repository, entry in entries.items()}).find(reference)


def _image(entry: Mapping[str, Any]) -> Image:
    programs = {name: tuple(command) for name, command in entry["programs"].items()}
    return Image(**{**entry, "command": tuple(entry["command"]), "programs": programs})


def _read_entry(entry: str) -> tuple[str, Image]:
    reference, equals, command = entry.partition("=")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(
            f"{OPTION} {entry!r}: expected IMAGE=COMMAND, found {error}; quote the command as a shell would have it"
        ) from None
    if not equals or not reference or not words:
        raise InputError(
            f"{OPTION} {entry!r}: expected IMAGE=COMMAND, found {_lack(reference, equals)}; give both, "
            'such as --process "shop/api=uvicorn app:app --host {pod_ip} --port 8080"'
        )
    here = str(Path.cwd())
    image, _, program = reference.strip().partition(" ")
    what = {"programs": {program.strip(): tuple(words)}} if program else {"command": tuple(words)}
    return split_reference(image)[0], Image(**what, working_dir=here, folder=here, named_by=OPTION)


def _lack(reference: str, equals: str) -> str:
    if not reference:
        return "no image"
    return "no command" if equals else "no ="
