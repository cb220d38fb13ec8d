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


def images_of(manifests: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Every image of every pod template in rendered manifests."""
    for spec in pod_specs(manifests):
        for container in _containers(spec):
            if isinstance(container.get("image"), str):
                yield container["image"]


def pod_specs(value: Any) -> Iterator[Mapping[str, Any]]:
    """The spec of every pod and pod template in manifests, of whatever kind these are, and however deep in them."""
    if isinstance(value, Mapping):
        if any(_containers({key: value.get(key)}) for key in CONTAINERS):
            yield value
        for inner in value.values():
            yield from pod_specs(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from pod_specs(inner)


CONTAINERS = ("initContainers", "containers")


def _containers(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for key in CONTAINERS for each in spec.get(key) or () if isinstance(each, Mapping)]


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
    """Have nodes of a real cluster pull the images of every pod template before any trial waits for them.

    Raises InputError for one that cannot be pulled. A pull that takes longer than PULL_LOOK_S goes on in the
    background, and templates that bring credentials of their own for their pulls are not looked at.
    """
    if not cluster.pulls:
        return
    open_to_all = [s for s in pod_specs(manifests) if not s.get("imagePullSecrets") and not s.get("serviceAccountName")]
    waiting = {f"pulls-{number}": spec for number, spec in enumerate(open_to_all)}
    path = f"/api/v1/namespaces/{namespace}/pods"
    for name, spec in waiting.items():
        api.create(path, _pulling_pod(name, spec))
    names = list(waiting)
    deadline = time.monotonic() + PULL_LOOK_S
    try:
        while waiting and time.monotonic() < deadline:
            for name in list(waiting):
                pod = api.get(f"{path}/{name}")
                refuse_unpullable(pod)
                if _pulled(pod, len(_containers(waiting[name]))):
                    del waiting[name]
            time.sleep(0.3)
    finally:
        for name in names:
            api.delete(f"{path}/{name}", gracePeriodSeconds="0")


def _pulling_pod(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    # No image has this command: its containers end before anything of the image has run.
    containers = [
        {
            "name": f"image-{number}",
            "image": container["image"],
            "imagePullPolicy": container.get("imagePullPolicy", "IfNotPresent"),
            "command": ["/seatrial-pulls-only"],
        }
        for number, container in enumerate(_containers(spec))
    ]
    kept = {key: spec[key] for key in ("nodeSelector", "tolerations", "affinity") if spec.get(key)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
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
