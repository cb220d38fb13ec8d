"""Container images that this project or the user can build: found by path, built and taken into a cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seatrial.clusters.base import Cluster
from seatrial.content import content
from seatrial.errors import ClusterError, InputError
from seatrial.watch.api import Api

AGENT, LOAD = "seatrial/agent:0.1.0", "seatrial/load:0.1.0"
ENGINE = Path(__file__).resolve().parent.parent  # holds the package: a checkout, or where a wheel was installed


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an image is built."""

    image: str  # with tag
    dockerfile: Path
    context: Path
    target: str
    include: tuple[str, ...] = ()  # of the context; all of it where none is named
    content: tuple[str, ...] = ()  # folders that come with the package, whether a checkout or a wheel


def recipes(folder: Path) -> dict[str, Recipe]:
    """Every `*.image.yaml` of a folder that names a Dockerfile, by image."""
    found: dict[str, Recipe] = {}
    for file in sorted(folder.glob("*.image.yaml")):
        entry = yaml.safe_load(file.read_text(encoding="utf-8"))
        if "dockerfile" in entry:
            image = f"{entry['image']}:{entry.get('tag', 'latest')}"
            context = (folder / entry.get("context", ".").replace("{engine}", str(ENGINE))).resolve()
            include = tuple(entry.get("include", ()))
            beside, target = tuple(entry.get("content", ())), entry.get("target", "")
            found[image] = Recipe(image, folder / entry["dockerfile"], context, target, include, beside)
    return found


def images_of(manifests: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Every image of every pod template in rendered manifests."""
    for manifest in manifests:
        yield from _images_in(manifest)


def _images_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key in ("containers", "initContainers"):
            for container in value.get(key) or ():
                if isinstance(container, dict) and isinstance(container.get("image"), str):
                    yield container["image"]
        for inner in value.values():
            yield from _images_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _images_in(inner)


def take_in(cluster: Cluster, images: Iterable[str], folder: Path) -> None:
    """Build what has a recipe, and load what this machine has; what is left, the cluster pulls by itself.

    The embedded cluster runs images as processes, and only has to know them; an existing cluster pulls them all.
    Raises ClusterError when a build fails, InputError for an image that the embedded cluster does not know.
    """
    if cluster.name == "existing":
        return
    known = recipes(folder)
    for image in sorted(set(images)):
        if cluster.name == "local":
            cluster.load_image(image)
            continue
        if recipe := known.get(image):
            build(recipe)
        elif not _here(image):
            continue
        cluster.load_image(image)


# What the kubelet says of an image that it cannot get. One failed pull may be the registry's bad moment, so that
# ErrImagePull is waited out until the kubelet backs off from the second.
UNPULLABLE = ("ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")
PULL_LOOK_S = 45.0


def refuse_unpullable(pod: Mapping[str, Any]) -> None:
    """Raises InputError when the kubelet has given up on an image of this pod for now."""
    status = pod.get("status", {})
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in UNPULLABLE:
            raise InputError(
                f"{container['image']}: expected an image that the cluster's nodes can pull, found "
                f"{waiting['reason']}: {' '.join(str(waiting.get('message', '')).split())[:600]}; push it where they "
                "can, load it into the cluster, or correct its name (the chart's values; --registry for Seatrial's own)"
            )


def try_pulls(cluster: Cluster, api: Api, namespace: str, manifests: Sequence[Mapping[str, Any]]) -> None:
    """Have a node of a real cluster pull each image of the chart's Deployment before any trial waits for it.

    Raises InputError for one that cannot be pulled. A pull that takes longer than PULL_LOOK_S goes on in the
    background, and a chart that brings credentials of its own for its pulls is not looked at.
    """
    spec = next(m for m in manifests if m["kind"] == "Deployment")["spec"]["template"]["spec"]
    if cluster.name == "local" or spec.get("imagePullSecrets") or spec.get("serviceAccountName"):
        return
    path = f"/api/v1/namespaces/{namespace}/pods"
    api.create(path, _pulling_pod(spec))
    deadline = time.monotonic() + PULL_LOOK_S
    try:
        while time.monotonic() < deadline:
            pod = api.get(f"{path}/{PULLS}")
            refuse_unpullable(pod)
            if _pulled(pod, len(spec["containers"])):
                return
            time.sleep(0.3)
    finally:
        api.delete(f"{path}/{PULLS}", gracePeriodSeconds="0")


PULLS = "pulls"


def _pulling_pod(spec: Mapping[str, Any]) -> dict[str, Any]:
    # No image has this command: its containers end before anything of the image has run.
    containers = [
        {
            "name": f"image-{number}",
            "image": container["image"],
            "imagePullPolicy": container.get("imagePullPolicy", "IfNotPresent"),
            "command": ["/seatrial-pulls-only"],
        }
        for number, container in enumerate([*spec.get("initContainers", ()), *spec["containers"]])
    ]
    kept = {key: spec[key] for key in ("nodeSelector", "tolerations", "affinity") if spec.get(key)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": PULLS},
        "spec": {"containers": containers, "restartPolicy": "Never", "terminationGracePeriodSeconds": 0, **kept},
    }


def _pulled(pod: Mapping[str, Any], least: int) -> bool:
    states = [each.get("state", {}) for each in pod.get("status", {}).get("containerStatuses", ())]
    return len(states) >= least and all(
        "terminated" in state
        or "running" in state
        or state.get("waiting", {}).get("reason") in ("RunContainerError", "CrashLoopBackOff", "CreateContainerError")
        for state in states
    )


def build(recipe: Recipe) -> None:
    """Build one image; $PYTHON_IMAGE is the base where it is set."""
    if not shutil.which("docker"):
        raise InputError(f"{recipe.image}: expected `docker` on PATH to build it, found none; see `seatrial doctor`")
    command = [
        "docker",
        "build",
        "--quiet",
        "--network",
        "host",
        "--file",
        str(recipe.dockerfile),
        "--tag",
        recipe.image,
    ]
    if base := os.environ.get("PYTHON_IMAGE"):
        command += ["--build-arg", f"PYTHON_IMAGE={base}"]
    if recipe.target:
        command += ["--target", recipe.target]
    with _context(recipe) as context:
        done = subprocess.run([*command, str(context)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(
            f"{recipe.image}: expected an image, found that its build failed: {' '.join(done.stderr.split())[-800:]}; "
            "mend that; $PYTHON_IMAGE names another base image, where the usual one cannot be pulled"
        )


@contextmanager
def _context(recipe: Recipe) -> Iterator[Path]:
    """The build's context. Only what is included is copied there: Docker sends all of it, virtual environments too."""
    if not recipe.include:
        yield recipe.context
        return
    with tempfile.TemporaryDirectory(prefix="seatrial-") as folder:
        sources = {name: recipe.context / name for name in recipe.include}
        for name, source in [*sources.items(), *((name, content(name)) for name in recipe.content)]:
            copy = Path(folder) / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy)
        yield Path(folder)


def _here(image: str) -> bool:
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0
