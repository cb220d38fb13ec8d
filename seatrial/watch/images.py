"""What containers really ran, read from the status of their pods. Pure.

A real cluster says which image, by its digest; the embedded one, which process stood for it and who named that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from seatrial.observation import Timeline


@dataclass(frozen=True, slots=True)
class ContainerImage:
    """One image as one container of some pods ran it."""

    container: str
    image: str  # as the pods name it
    id: str  # as the kubelet says; empty: it never had the image
    command: tuple[str, ...] | None  # of the pod, in place of the image's own; variables are not filled in
    args: tuple[str, ...] | None
    pods: tuple[str, ...]


def images_run(timeline: Timeline) -> list[ContainerImage]:
    """Every image that containers of a timeline's pods ran, and those that they never got."""
    latest: dict[tuple[str, str], _Run] = {}  # by pod and container, of which only the id ever changes
    for change in timeline.of("Pod"):
        for container, run in _containers(change.object):
            if run.id or (change.name, container) not in latest:
                latest[change.name, container] = run
    pods: dict[tuple[str, _Run], list[str]] = {}
    for (pod, container), run in latest.items():
        pods.setdefault((container, run), []).append(pod)
    return [
        ContainerImage(container, run.image, run.id, run.command, run.args, tuple(names))
        for (container, run), names in pods.items()
    ]


class _Run(NamedTuple):
    image: str
    id: str
    command: tuple[str, ...] | None
    args: tuple[str, ...] | None


def _containers(pod: Mapping[str, Any]) -> Iterator[tuple[str, _Run]]:
    status = pod.get("status", {})
    said = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    ids = {container["name"]: container.get("imageID", "") for container in said}
    for spec in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]):
        command, args = (None if spec.get(key) is None else tuple(spec[key]) for key in ("command", "args"))
        yield spec["name"], _Run(spec["image"], ids.get(spec["name"], ""), command, args)
