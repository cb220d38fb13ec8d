"""Made-up streams on pods that are deleted: four a round under way at SIGTERM, every one told to its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from seatrial.ledger import joined, ledger
from seatrial.trials.pod_deletion import STREAM, PodDeletion, Round
from seatrial.trials.undisturbed import UNDISTURBED_STREAM
from tests.helpers.drains import deletion, request

Row = dict[str, Any]
LENGTH_S, EVENTS = 4.0, 20
BEFORE_S = (0.8, 0.65, 0.5, 0.35)  # SIGTERM is due, each of a round's streams begins


def streaming(
    *,
    change: Callable[[Row, Round], Row | None] = lambda made, _: made,
    undisturbed: Callable[[Row], Row | None] = lambda made: made,
    length_s: float = LENGTH_S,
    before_s: tuple[float, ...] = BEFORE_S,
    **loaded: Any,
) -> PodDeletion:
    """Deletions as tests.helpers.drains tells them, with streams; `change` replaces or drops those on the victims."""
    seen = deletion(**loaded)
    rows = [undisturbed(stream(UNDISTURBED_STREAM, 10.0, length_s, target="other", pod="other"))]
    for round in seen.loaded():
        for begun_s in before_s:
            begun = stream(
                STREAM,
                round.sigterm_due_s - begun_s,
                length_s,
                target=round.victim,
                pod=round.victim,
                group=round.index,
            )
            rows.append(change(begun, round))
    kept = [made for made in rows if made is not None]
    times = [made.pop("event_s") for made in kept]
    firsts = np.cumsum([0, *(len(each) for each in times)])
    streams = ledger(
        {**made, "first_event": int(first), "events": len(each)}
        for made, first, each in zip(kept, firsts[:-1], times, strict=True)
    )
    streams = replace(streams, event_s=np.concatenate([*times, np.empty(0)]))
    return replace(seen, ledger=joined([seen.ledger, streams]))


def stream(load: str, at_s: float, length_s: float, **other: Any) -> Row:
    """A stream that was told to its end: an event every so often, the first after one such pause."""
    every_s = length_s / EVENTS
    made = request(load, at_s, length_s, **other)
    return {**made, "event_s": at_s + every_s * np.arange(1, EVENTS + 1), "body": told(EVENTS)}


def cut(made: Row, at_s: float, error: str = "eof") -> Row:
    """The same stream, broken off at a moment."""
    came = made["event_s"][made["event_s"] < at_s]
    body = told(len(came), end="")
    return {**made, "event_s": came, "ended_s": at_s, "error": error, "correct": 0, "body": body}


def ended(made: Row, at_s: float, end: str) -> Row:
    """The same stream, ended at a moment as HTTP wants it, and with other last events than were due."""
    broken = cut(made, at_s, "")
    return {**broken, "body": told(len(broken["event_s"]), end)}


DONE = "data: [DONE]\n\n"
STOPPING = 'data: {"error": {"message": "shutting down"}}\n\n' + DONE


def told(events: int, end: str = DONE) -> str:
    """What a client reads: so many words, a finish_reason where the last events are DONE, and these."""
    chunks = [{"index": 0, "delta": {"content": f"word{n} "}, "finish_reason": None} for n in range(events)]
    if end == DONE:
        chunks.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    return "".join(f"data: {json.dumps({'choices': [chunk]})}\n\n" for chunk in chunks) + end
