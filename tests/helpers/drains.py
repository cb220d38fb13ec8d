"""Made-up deletions: three loaded pods and an idle one that linger, drain and exit as promised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from seatrial.ledger import joined, ledger
from seatrial.observation import Change
from seatrial.trials.pod_deletion import PodDeletion, Round
from seatrial.trials.shorter_drain import BEYOND, ShorterDrain
from tests.helpers.observations import OWNED, common, row

Row = dict[str, Any]
DRAIN = {"budget_s": 6, "grace_s": {"value": "grace", "set": 12}, "propagation_s": 2, "sign_log": "drain_started"}
IDLE = {"loaded": False, "closed_s": 2.1, "exit_s": 2.2, "exit_seen_s": 2.4, "removed_s": 2.3}
UNDISTURBED_S, NEARLY_S = 4.83, 4.83
SERVER = "server"


@dataclass(frozen=True)
class Story:
    """One deletion as it went; seconds count from the deletion, and None is what never came."""

    index: int = 0
    name: str = ""  # of the victim; "" is one that no other has
    loaded: bool = True
    prestop_s: float = 0.0
    prestop_known: bool = True
    sign_s: float | None = 0.12  # after SIGTERM was due
    unready_s: float | None = 0.15
    endpoint_stays_ready: bool = False  # terminating, and ready all the same
    removed_s: float = 5.1
    closed_s: float | None = 4.2
    connects_until_s: float = 6.0
    exit_s: float = 5.0
    exit_seen_s: float | None = 5.2
    exit_codes: tuple[int, ...] = (0,)
    exit_reason: str = "Completed"
    finished_at: str | None = None
    serving_until_s: float | None = None
    kept_stay: bool = False  # kept connections are served after the listener has closed
    grace_s: float = 12.0
    large: bool = False  # the contract has a large case, and it was sent
    further: bool = False  # and an API beside the default one

    @property
    def victim(self) -> str:
        return self.name or f"victim-{self.index}"

    @property
    def deleted_s(self) -> float:
        return 20.0 + 30.0 * self.index

    @property
    def round(self) -> Round:
        due_s = self.deleted_s + self.prestop_s
        sign_s = None if self.sign_s is None else due_s + self.sign_s
        gone_s = self.deleted_s + self.exit_s + 0.4
        return Round(
            self.index, self.victim, f"10.0.0.{self.index}", self.deleted_s, self.prestop_s, due_s, sign_s, gone_s,
            self.grace_s, self.loaded, self.prestop_known,
        )  # fmt: skip


def request(load: str, at_s: float, took_s: float = 0.05, **other: Any) -> Row:
    """A right answer with all its times."""
    times = {"connected_s": at_s + 0.0005, "body_sent_s": at_s + 0.001, "first_byte_s": at_s + took_s - 0.0005}
    return row(load, at_s, took_s, **{**times, **other})


def refused(given: Row) -> Row:
    """The same, met by a closed port."""
    nothing = dict.fromkeys(("connected_s", "body_sent_s", "first_byte_s"), np.nan)
    return {**given, **nothing, "status": 0, "correct": 0, "error": "refused", "ended_s": given["sent_s"] + 0.001}


def reset(given: Row, at_s: float) -> Row:
    """The same, cut at a moment."""
    return {**given, "first_byte_s": np.nan, "status": 0, "correct": 0, "error": "reset", "ended_s": at_s}


def shorter_drain(
    took_s: float | None, *, right: bool, sign_s: float | None = 0.12, **how: Any
) -> Callable[[PodDeletion], PodDeletion]:
    """One deletion more, of a pod with a budget of 3 s, whose request of 5.5 s ended so long after SIGTERM was due.

    None: it never got there.
    """
    due_s = 200.0
    sign = None if sign_s is None else due_s + sign_s
    shorter = ShorterDrain(3.0, 5.5, **{"pod": "halved", "deleted_s": due_s, "sigterm_due_s": due_s, **how})

    def added(seen: PodDeletion) -> PodDeletion:
        rows = [
            request(BEYOND, due_s - 0.15, 0.15 + took_s, target="halved", pod="halved", correct=int(right))
            for took_s in [took_s]
            if took_s is not None
        ]
        whole = joined([seen.ledger, ledger(rows)]) if rows else seen.ledger
        return replace(seen, ledger=whole, shorter=replace(shorter, drain_sign_s=sign))

    return added


def with_rows(seen: PodDeletion, rows: list[Row]) -> PodDeletion:
    """The same, with more rows in its ledger."""
    return replace(seen, ledger=joined([seen.ledger, ledger(rows)]))


def with_rounds(seen: PodDeletion, otherwise: dict[int, dict[str, Any]]) -> PodDeletion:
    """The same, with other fields of some rounds, by their index."""
    return replace(seen, rounds=tuple(replace(round, **otherwise.get(round.index, {})) for round in seen.rounds))


def deletion(
    *, change: Callable[[Row, Round], Row | None] | None = None, idle: Any = None, **loaded: Any
) -> PodDeletion:
    """Three rounds that went as `loaded` says and an idle one as `idle` says; `change` replaces or drops rows."""
    stories = [Story(index, **loaded) for index in range(3)]
    stories.append(Story(3, **{**IDLE, **(idle or {})}))
    return told(stories, change)


def one_round_otherwise(index: int, **otherwise: Any) -> PodDeletion:
    """One of the three loaded rounds went otherwise."""
    stories = [Story(0), Story(1), Story(2), Story(3, **IDLE)]
    stories[index] = replace(stories[index], **otherwise)
    return told(stories, None)


def told(stories: list[Story], change: Callable[[Row, Round], Row | None] | None) -> PodDeletion:
    """The observation of these deletions."""
    rows = [request("undisturbed", 5.0, UNDISTURBED_S, target="other", pod="other")]
    for story in stories:
        for made in rows_of(story):
            kept = change(made, story.round) if change else made
            if kept is not None:
                rows.append(kept)
    changes = [each for story in stories for each in changes_of(story)]
    changes += [Change(1.0, "Pod", "ADDED", "other", pod("other"))]
    return PodDeletion(
        **common(rows, sorted(changes, key=lambda each: each.at_s)),
        rounds=tuple(story.round for story in stories),
        budget_s=6.0,
        propagation_s=2.0,
    )


def rows_of(story: Story) -> Iterator[Row]:
    """The mix of one round; what is sent once the socket is closed is refused."""
    round, zero = story.round, story.deleted_s
    due_s = round.sigterm_due_s
    closed_s = np.inf if story.closed_s is None else zero + story.closed_s

    def at_victim(load: str, at_s: float, took_s: float, **other: Any) -> Row:
        made = request(load, at_s, took_s, target=story.victim, pod=story.victim, group=story.index, **other)
        served = load.startswith("kept-") and story.kept_stay
        return refused(made) if at_s >= closed_s and not served else made

    for at_s in np.arange(zero - 1.0, zero + story.connects_until_s, 0.02):
        yield {**at_victim("connect", at_s, 0.01), "group": 0, "status": 0, "correct": -1}
    if not story.loaded:
        return
    for n in range(8):
        yield at_victim("long", due_s - 0.1 - 0.5 * n, 4.0)
    for at_s in np.arange(due_s - 0.2, due_s + 0.6, 0.02):
        yield at_victim("short", at_s, 0.15)
    for at_s in (due_s - 0.1, due_s - 0.02):
        yield at_victim("half-sent", at_s, 1.2, body_sent_s=at_s + 1.0)
    yield at_victim("nearly", due_s - 0.05, NEARLY_S)
    if story.large:
        for at_s in (due_s - 0.1, due_s - 0.06):
            yield at_victim("large", at_s, 0.6)
        yield at_victim("large-half-sent", due_s - 0.12, 1.6, body_sent_s=due_s + 0.88)
    for n in range(12 if story.further else 0):
        yield at_victim("further", due_s - 0.105 + 0.04 * n, 0.15, case=f"apart case-{n}")
    for client in range(4):
        for at_s in np.arange(due_s - 1.9 + 0.05 * client, zero + story.exit_s, 0.2):
            yield at_victim(f"kept-{client}", at_s, 0.1, connection=client)


UP = {"ready": True, "serving": True, "terminating": False}


def changes_of(story: Story) -> Iterator[Change]:
    """The watch of one deletion."""
    name, zero = story.victim, story.deleted_s
    yield Change(zero - 15, "Pod", "ADDED", name, pod(name))
    yield slices(zero - 14.9, **{name: UP, "other": UP})
    yield Change(zero + 0.02, "Pod", "MODIFIED", name, pod(name))
    if story.unready_s is not None:
        ending = {"ready": story.endpoint_stays_ready, "serving": True, "terminating": True}
        yield slices(zero + story.unready_s, **{name: ending, "other": UP})
        if story.serving_until_s is not None:
            yield slices(zero + story.serving_until_s, **{name: {**ending, "serving": False}, "other": UP})
    yield slices(zero + story.removed_s, other=UP)
    last = pod(name)
    if story.exit_seen_s is not None:
        at_s = zero + story.exit_s
        stamp = datetime.fromtimestamp(int(at_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ended = [
            {
                "exitCode": code,
                "reason": story.exit_reason,
                "finishedAt": stamp if story.finished_at is None else story.finished_at,
                "containerID": f"{name}-{story.index}-{n}",
            }
            for n, code in enumerate(story.exit_codes)
        ]
        last = pod(name, ended)
        yield Change(zero + story.exit_seen_s, "Pod", "MODIFIED", name, last)
    yield Change(zero + story.exit_s + 0.5, "Pod", "DELETED", name, last)


def pod(name: str, ended: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A Pod that runs, or whose containers have ended."""
    states = [{"terminated": each} for each in ended] if ended else [{"running": {}}]
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "creationTimestamp": "1970-01-01T00:00:00Z",
            "ownerReferences": OWNED,
        },
        "spec": {"containers": [{"name": SERVER}], "nodeName": "node"},
        "status": {
            "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": "True" if not ended else "False"}],
            "containerStatuses": [
                {"name": SERVER if n == 0 else f"side-{n}", "restartCount": 0, "ready": not ended, "state": state}
                for n, state in enumerate(states)
            ],
        },
    }


def slices(at_s: float, **conditions: dict[str, bool]) -> Change:
    """The EndpointSlice of the Service."""
    endpoints = [{"targetRef": {"name": name}, "conditions": of} for name, of in conditions.items()]
    return Change(at_s, "EndpointSlice", "MODIFIED", "subject-x", {"endpoints": endpoints})
