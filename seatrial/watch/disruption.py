"""Whether the subject's containers went on running: pure functions of what was watched, for every check that asks."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.observation import Observation
from seatrial.watch.ownership import own_changes
from seatrial.watch.pods import events, of_pod, restart_count, restarts, terminations


@dataclass(frozen=True, slots=True)
class Disruption:
    """Something that ended a container, or was about to, and when it was seen."""

    at_s: float
    what: str


def disruptions(seen: Observation, since_s: float) -> tuple[Disruption, ...]:
    """What became of the subject's containers from since_s on: those that ended, then Killing events, then counts."""
    return (*ended(seen, since_s), *killed(seen, since_s), *restarted(seen, since_s))


def ended(seen: Observation, since_s: float) -> tuple[Disruption, ...]:
    """Every end of a container."""
    changes = own_changes(seen)
    return tuple(
        Disruption(end.seen_s, f"{name}: {end.container} ended with {end.exit_code} ({end.reason})")
        for name in dict.fromkeys(pod.name for pod in seen.pods)
        for end in terminations(changes, name)
        if end.seen_s >= since_s
    )


def killed(seen: Observation, since_s: float) -> tuple[Disruption, ...]:
    """Every word of the kubelet that it kills a container."""
    killings = events(own_changes(seen), seen.subject, "Killing")
    return tuple(Disruption(c.at_s, str(c.object.get("message"))) for c in killings if c.at_s >= since_s)


def restarted(seen: Observation, since_s: float) -> tuple[Disruption, ...]:
    """Every pod whose restart count is higher than before."""
    changes = own_changes(seen)
    before = restarts(tuple(change for change in changes if change.at_s < since_s), seen.subject)
    return tuple(
        Disruption(_seen_s(seen, pod, count), f"{pod}: restart count {count}, {before.get(pod, 0)} before")
        for pod, count in restarts(changes, seen.subject).items()
        if count > before.get(pod, 0)
    )


def _seen_s(seen: Observation, pod: str, count: int) -> float:
    """When a pod's restart count was first this high."""
    return next(c.at_s for c in of_pod(seen.timeline.changes, pod) if restart_count(c.object) >= count)
