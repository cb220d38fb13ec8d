"""What happened to one pod that was deleted: facts from ledger and timeline, for a picture and its caption.

Times are seconds from the deletion.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

from seatrial.ledger import RIGHT, UNJUDGED, Ledger, Request
from seatrial.observation import Timeline
from seatrial.watch import pods as watch

LEAD_S = 2.5  # shown before the deletion
TAIL_S = 1.5  # shown after the last thing that happened
SAME_MOMENT_S = 0.05


class DeletionRound(Protocol):
    """The moments of one deletion on the run's clock; None where not seen."""

    @property
    def index(self) -> int: ...
    @property
    def victim(self) -> str: ...
    @property
    def deleted_s(self) -> float: ...
    @property
    def sigterm_due_s(self) -> float: ...
    @property
    def drain_sign_s(self) -> float | None: ...
    @property
    def gone_s(self) -> float | None: ...


class Fate(StrEnum):
    """How one request ended."""

    RIGHT = "right"
    UNJUDGED = "unjudged"  # a whole answer with nothing to hold it against, or a bare connection that was accepted
    CUT = "cut"  # the connection stood, the whole answer never came
    TURNED_AWAY = "turned-away"  # no connection
    OTHER = "other"  # a whole answer, but not the right one
    AFTER = "after"  # sent to a pod that had already exited


LOST = {Fate.CUT: "cut", Fate.TURNED_AWAY: "turned away", Fate.OTHER: "answered otherwise"}


@dataclass(frozen=True, slots=True)
class Segment:
    """A state and how long it held."""

    start_s: float
    end_s: float
    state: str  # a word for the style
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """One attempt, in row `row` of its lane; one after the pod's exit is a moment, however long it hung."""

    start_s: float
    end_s: float
    fate: Fate
    row: int
    open: bool  # it never ended


@dataclass(frozen=True, slots=True)
class Lane:
    """The requests of one load to the victim."""

    label: str
    summary: str
    spans: tuple[Span, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment."""

    at_s: float
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Exit:
    """The end of the victim's first container to end, and the exit codes of all; seconds from the deletion."""

    codes: str
    ended_s: float  # by its own account, up to a second early: checks judge by this
    seen_s: float  # no later than this

    @staticmethod
    def of(exits: Sequence[watch.Termination], zero: float, wall_origin_s: float) -> _Exit:
        codes = ", ".join(str(end.exit_code) for end in exits)
        return _Exit(codes, max(0.0, watch.ended_s(exits[0], wall_origin_s) - zero), exits[0].seen_s - zero)

    @property
    def since(self) -> str:
        """` 11.4 to`, for the moment when it was seen to follow; "" where both are the same."""
        return f" {self.ended_s:.1f} to" if self.seen_s - self.ended_s >= SAME_MOMENT_S else ""

    def __str__(self) -> str:
        return f"exited with {self.codes} after{self.since} {self.seen_s:.2f} s"


@dataclass(frozen=True, slots=True)
class DrainStory:
    """All that the picture shows; `index` is the round's, as verdicts and the ledger's groups count them."""

    index: int
    victim: str
    start_s: float
    end_s: float
    pod: tuple[Segment, ...]
    endpoint: tuple[Segment, ...]
    markers: tuple[Marker, ...]
    lanes: tuple[Lane, ...]
    sentence: str

    @property
    def lost(self) -> int:
        """Attempts without a right answer, but for those after the pod's exit."""
        return sum(span.fate in LOST for lane in self.lanes for span in lane.spans)


def drain_story(ledger: Ledger, timeline: Timeline, round: DeletionRound, wall_origin_s: float) -> DrainStory:
    """The facts of one round, read from what was recorded; the run's clock was zero at `wall_origin_s`."""
    zero = round.deleted_s
    ends = watch.terminations(timeline.changes, round.victim)
    until_s = watch.namesake_at_s(timeline.changes, round.victim, zero)
    exits = [end for end in ends if zero <= end.seen_s < until_s]
    exit_s = exits[0].seen_s if exits else None
    moments_s = (zero, round.gone_s, exit_s, round.drain_sign_s, round.sigterm_due_s)
    last = max(moment_s for moment_s in moments_s if moment_s is not None)
    lanes = _lanes(ledger, round, exit_s, last)
    end_s = last - zero + TAIL_S
    start_s = -LEAD_S
    pod = _pod_segments(timeline, round.victim, zero, start_s, end_s)
    endpoint = _endpoint_segments(timeline, round.victim, zero, start_s, end_s)
    ended = _Exit.of(exits, zero, wall_origin_s) if exits else None
    sign_s = round.drain_sign_s
    markers = [Marker(0.0, "deleted", "deleted")]
    if sign_s is None:
        markers.append(Marker(round.sigterm_due_s - zero, "SIGTERM due", "sigterm"))
    else:
        markers.append(Marker(sign_s - zero, "SIGTERM", "sigterm"))
    if ended is not None:
        markers.append(Marker(ended.seen_s, f"exit {ended.codes}{ended.since and ','}{ended.since}", "exit"))
    if round.gone_s is not None:
        markers.append(Marker(round.gone_s - zero, "gone", "gone"))
    sentence = _sentence(round, lanes, endpoint, ended)
    return DrainStory(round.index, round.victim, start_s, end_s, pod, endpoint, tuple(markers), tuple(lanes), sentence)


def _pod_segments(timeline: Timeline, victim: str, zero: float, start_s: float, end_s: float) -> tuple[Segment, ...]:
    def states() -> Iterator[tuple[float, str, str]]:
        for change in watch.of_pod(timeline.changes, victim):
            status = change.object.get("status", {})
            containers = status.get("containerStatuses", ())
            if change.type == "DELETED":
                yield change.at_s, "none", "object gone"
            elif containers and all(container.get("state", {}).get("terminated") for container in containers):
                yield change.at_s, "exited", "exited"
            elif change.object.get("metadata", {}).get("deletionTimestamp"):
                ready = watch.is_ready(change.object)
                yield change.at_s, "terminating", "terminating, Ready" if ready else "terminating, not Ready"
            elif watch.is_ready(change.object):
                yield change.at_s, "ready", "Ready"
            else:
                yield change.at_s, "unready", str(status.get("phase", "Pending")) + ", not Ready"

    return _segments(states(), zero, start_s, end_s)


def _endpoint_segments(
    timeline: Timeline, victim: str, zero: float, start_s: float, end_s: float
) -> tuple[Segment, ...]:
    def states() -> Iterator[tuple[float, str, str]]:
        for state in watch.endpoint_states(timeline.changes, victim):
            if not state.present:
                yield state.at_s, "none", "removed"
            elif state.terminating:
                words = "terminating, serving" if state.serving else "terminating, not serving"
                yield state.at_s, "ready" if state.ready else "terminating", words + (", ready!" if state.ready else "")
            else:
                yield state.at_s, "ready" if state.ready else "unready", "ready" if state.ready else "not ready"

    return _segments(states(), zero, start_s, end_s)


def _segments(
    states: Iterator[tuple[float, str, str]], zero: float, start_s: float, end_s: float
) -> tuple[Segment, ...]:
    merged: list[tuple[float, str, str]] = []
    for at_s, state, text in states:
        if not merged or merged[-1][1:] != (state, text):
            merged.append((at_s - zero, state, text))
    return tuple(
        Segment(max(at_s, start_s), min(until_s, end_s), state, text)
        for (at_s, state, text), (until_s, _, _) in pairwise([*merged, (end_s, "", "")])
        if until_s > start_s and at_s < end_s
    )


def part_of(load: str) -> str:
    """`kept-0`, `kept-1` and so on are parts of one load of the stimulus."""
    return re.sub(r"-\d+$", "", load)


def _lanes(ledger: Ledger, round: DeletionRound, exit_s: float | None, last_s: float) -> list[Lane]:
    """Requests to the victim's own address by load; of those to the Service, what it answered and what failed."""
    dead_s = exit_s if exit_s is not None else round.gone_s
    near = ledger.select((ledger.sent_s <= last_s + TAIL_S) & ~(ledger.ended_s < round.deleted_s - LEAD_S))
    direct: dict[str, list[Request]] = {}
    service: dict[str, list[Request]] = {}
    for request in near:
        name = part_of(request.load)
        if request.target == round.victim:
            direct.setdefault(name, []).append(request)
        elif request.target == "" and (request.pod == round.victim or _fate(request, None) in LOST):
            service.setdefault(f"{name}, through the Service", []).append(request)
    # Long requests first: what a drain must not cut reads from the top.
    lanes = [_lane(label, requests, round, dead_s) for label, requests in sorted(direct.items())]
    lanes.sort(key=lambda lane: -max(span.end_s - span.start_s for span in lane.spans))
    return lanes + [_lane(label, requests, round, None) for label, requests in sorted(service.items())]


def _fate(request: Request, dead_s: float | None) -> Fate:
    if request.error:
        if dead_s is not None and request.sent_s >= dead_s:
            return Fate.AFTER
        return Fate.CUT if request.connected_s == request.connected_s else Fate.TURNED_AWAY
    if request.correct == UNJUDGED and (request.status == 0 or 200 <= request.status < 300):
        return Fate.UNJUDGED
    return Fate.RIGHT if request.correct == RIGHT else Fate.OTHER


def _lane(label: str, requests: list[Request], round: DeletionRound, dead_s: float | None) -> Lane:
    spans: list[Span] = []
    free_from: list[float] = []  # per row: when its last request ended
    for request in sorted(requests, key=lambda request: request.sent_s):
        fate = _fate(request, dead_s)
        endless = request.ended_s != request.ended_s and fate != Fate.AFTER
        start_s = request.sent_s - round.deleted_s
        end_s = start_s if fate == Fate.AFTER else float("inf") if endless else request.ended_s - round.deleted_s
        row = next((index for index, free_s in enumerate(free_from) if free_s < start_s), len(free_from))
        free_from[row:] = [end_s, *free_from[row + 1 :]]
        spans.append(Span(start_s, end_s, fate, row, endless))
    return Lane(label, _summary(spans), tuple(spans), len(free_from))


def _summary(spans: list[Span]) -> str:
    counts = Counter(span.fate for span in spans)
    answered = Fate.RIGHT if counts[Fate.RIGHT] or not counts[Fate.UNJUDGED] else Fate.UNJUDGED
    parts = [f"{counts[answered]} of {len(spans)} {'right' if answered == Fate.RIGHT else 'answered'}"]
    words = {Fate.UNJUDGED: "not judged", **LOST, Fate.AFTER: "after its exit"}
    parts += [f"{counts[fate]} {word}" for fate, word in words.items() if counts[fate] and fate != answered]
    return ", ".join(parts)


def _sentence(round: DeletionRound, lanes: list[Lane], endpoint: tuple[Segment, ...], exited: _Exit | None) -> str:
    told_s = round.drain_sign_s
    told = "no sign of SIGTERM" if told_s is None else f"told to stop after {told_s - round.deleted_s:.2f} s"
    left = next((segment.start_s for segment in endpoint if segment.start_s > 0 and segment.state != "ready"), None)
    unready = "endpoint ready to the end" if left is None else f"endpoint not ready after {left:.2f} s"
    ended = "no exit seen" if exited is None else f"{exited}"
    alive = [span for lane in lanes for span in lane.spans if span.fate != Fate.AFTER]
    parts = []
    for fate, word in LOST.items():
        # A cut is a matter of when it came, a refusal of when it was tried: the end of either.
        ends_s = [span.end_s for span in alive if span.fate == fate]
        if ends_s:
            parts.append(f"{len(ends_s)} {word} from {min(ends_s):.2f} s on")
    if parts:
        lost = f"of {len(alive)} attempts {', '.join(parts)}"
    else:
        lost = f"none of {len(alive)} attempts lost" if alive else "no request was on it"
    return f"{told}; {unready}; {ended}; {lost}."
