"""What was on trial, what stood beside it, and what each container really ran: read from a record, by trial. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seatrial.observation import Timeline, Workload
from seatrial.watch.ownership import bystanders, pods_of


@dataclass(frozen=True, slots=True)
class Room:
    """What was in the namespace of one trial."""

    trial: str
    subject: str
    service: str
    pods: int  # the subject's, all that ever were
    bystanders: tuple[tuple[str, int], ...]  # pods that were watched and are not judged: their owner, and how many
    ran: tuple[tuple[str, str, str], ...]  # container, image, and what really ran, of every pod
    dependencies: tuple[tuple[str, str, str, str], ...]  # name, kind, what stood for it, what was done to it


def room(trial: str, fields: Mapping[str, Any], timeline: Timeline, images: Any) -> Room:
    """From an observation's JSON and its timeline; `images` is what images.json holds, None in earlier records."""
    changes = timeline.changes
    subject = Workload(**fields["subject"])
    owners = Counter(owner or pod for pod, owner in bystanders(changes, subject).items())
    return Room(
        trial,
        str(subject),
        subject.service,
        len(pods_of(changes, subject)),
        tuple(sorted(owners.items())),
        tuple(sorted(set(_ran(images if isinstance(images, list) else [])))),
        tuple(_dependency(dependency) for dependency in fields.get("dependencies") or ()),
    )


def _ran(images: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str, str]]:
    for image in images:
        yield str(image.get("container")), str(image.get("image")), str(image.get("id") or "never had the image")


def _dependency(dependency: Mapping[str, Any]) -> tuple[str, str, str, str]:
    done = [str(switch["what"]) for switch in dependency.get("switches", ()) if switch["what"] != "open"]
    return str(dependency["name"]), str(dependency["kind"]), str(dependency["stands_by"]), ", ".join(done)


def alike(rooms: Sequence[Room]) -> list[tuple[list[str], Room]]:
    """Rooms that hold the same but for the number of pods, each with the names of its trials."""
    groups: dict[Any, tuple[list[str], Room]] = {}
    for room in rooms:
        held = (room.subject, room.service, tuple(owner for owner, _ in room.bystanders), room.ran, room.dependencies)
        groups.setdefault(held, ([], room))[0].append(room.trial)
    return list(groups.values())
