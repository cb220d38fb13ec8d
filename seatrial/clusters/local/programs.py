"""Programs that pods call by name and that this machine does not have."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seatrial.clusters.local.kubelet.images import IMAGE_PATH, OPTION, ImageMap, ImageNotFound
from seatrial.clusters.local.rendered_pods import pods_of
from seatrial.clusters.recipe import split_reference

Manifest = Mapping[str, Any]
PATH = f"{Path(sys.executable).parent}:{IMAGE_PATH}"


def missing_programs(manifests: Sequence[Manifest], images: ImageMap) -> Iterator[str]:
    """A phrase for each container whose command begins with such a program, with how to name what stands for it.

    Images that nothing stands for are left out, and containers that say themselves where programs are.
    """
    for pods in (found for manifest in manifests for found in pods_of(manifest)):
        for container in pods.containers:
            name, image = container.get("name"), container.get("image")
            if program := _missing(container, images):
                option = f'{OPTION} "{split_reference(str(image))[0]} {program}=COMMAND"'
                lacking = f"the program {program}, which this machine does not have ({option})"
                yield f"{pods.owner}, container {name}: {lacking}"


def _missing(container: Manifest, images: ImageMap) -> str:
    """The program that a container calls in vain; "" where there is none."""
    command, env = container.get("command"), container.get("env")
    own_path = isinstance(env, list) and any(isinstance(each, Mapping) and each.get("name") == "PATH" for each in env)
    if not isinstance(command, list) or not command or own_path:
        return ""
    try:
        first = images.find(str(container.get("image"))).called([*map(str, command)])[0]
    except ImageNotFound:
        return ""
    # A path may be in a volume, and a variable be anything.
    known = "/" in first or "$" in first or first in ("python", "python3") or shutil.which(first, path=PATH)
    return "" if known else first
