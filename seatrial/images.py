"""The container images of a run: which there are, how the cluster gets them, and whether its nodes can pull them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from seatrial.clusters.base import Cluster
from seatrial.clusters.recipe import Recipe, read_recipe, split_reference
from seatrial.content import content
from seatrial.errors import InputError
from seatrial.watch.api import Api

AGENT, LOAD = "seatrial/agent:0.1.0", "seatrial/load:0.1.0"


def own_recipes() -> list[Recipe]:
    """Those of the images that Seatrial itself runs on clusters."""
    folder = content("charts") / "images"
    return [read_recipe(folder / f"{image.partition(':')[0].replace('/', '-')}.image.yaml") for image in (AGENT, LOAD)]


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


def take_in(cluster: Cluster, images: Iterable[str], recipes: Sequence[Recipe]) -> None:
    """Have a cluster that is up get each image: by its recipe where it has one, as the cluster can where it has none.

    Raises ClusterError when a build fails, InputError for an image that the cluster cannot get.
    """
    by_repository = {recipe.repository: recipe for recipe in recipes}
    for image in sorted(set(images)):
        cluster.take_in(image, by_repository.get(split_reference(image)[0]))


def of_subject(manifests: Iterable[dict[str, Any]], recipes: Iterable[Recipe]) -> list[str]:
    """The images that a chart renders, and those that have a recipe because the service starts them itself."""
    rendered = sorted(set(images_of(manifests)))
    repositories = {split_reference(image)[0] for image in rendered}
    return [*rendered, *(recipe.image for recipe in recipes if recipe.repository not in repositories)]


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
    if not cluster.pulls or spec.get("imagePullSecrets") or spec.get("serviceAccountName"):
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
