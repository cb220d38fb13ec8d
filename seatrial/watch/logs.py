"""Follows the output of every container in a namespace from its start: a deleted pod takes its log with it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aiohttp

from seatrial.clock import RunClock
from seatrial.observation import Change, Log

MOST_LINES = 20_000  # of one container's life; a request log of the longest stage is a third of that


class LogFollower:
    """Opens one follow request for each life of each container; runs on the watch's event loop."""

    def __init__(self, session: aiohttp.ClientSession, namespace: str, clock: RunClock) -> None:
        self._session = session
        self._namespace = namespace
        self._clock = clock
        self._lines: dict[tuple[str, str, str], list[tuple[float, str]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def see(self, change: Change) -> None:
        """Take note of a pod's change: every container life that began is followed."""
        if change.kind != "Pod" or change.type == "DELETED":
            return
        of_pod = change.object.get("status", {})
        for status in (*of_pod.get("initContainerStatuses", ()), *of_pod.get("containerStatuses", ())):
            life = (change.name, status["name"], status.get("containerID", ""))
            started = any(state in status.get("state", {}) for state in ("running", "terminated"))
            if started and life[2] and life not in self._lines:
                self._lines[life] = []
                task = asyncio.get_running_loop().create_task(self._follow(life))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def logs(self) -> tuple[Log, ...]:
        """What was read so far; the lives of a container before its last are `previous`."""
        last = {(pod, container): id for pod, container, id in self._lines}
        return tuple(
            Log(pod, container, last[pod, container] != id, tuple(lines))
            for (pod, container, id), lines in self._lines.items()
        )

    def cancel(self) -> None:
        """Stop following."""
        for task in self._tasks:
            task.cancel()

    async def _follow(self, life: tuple[str, str, str]) -> None:
        pod, container, _ = life
        path = f"/api/v1/namespaces/{self._namespace}/pods/{pod}/log"
        query = {"container": container, "follow": "true", "timestamps": "true"}
        lines = self._lines[life]
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self._session.get(path, params=query) as answer:
                while (line := await answer.content.readline()) and len(lines) < MOST_LINES:
                    if answer.status != 200:
                        return
                    stamp, _, text = line.decode("utf-8", "replace").rstrip("\n").partition(" ")
                    with suppress(ValueError):
                        lines.append((self._clock.at_wall(stamp), text))
