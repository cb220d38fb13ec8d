"""Which containers' output is followed."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from seatrial.clock import RunClock
from seatrial.observation import Change, Log
from seatrial.watch.logs import LogFollower

STAMP = "2026-11-30T20:00:00.000000000Z"


class Logs:
    """Answers a request for a container's log with one line, and ends."""

    @asynccontextmanager
    async def get(self, path, params):
        lines = iter([f"{STAMP} {path} {params['container']}\n".encode(), b""])

        async def readline():
            return next(lines)

        yield SimpleNamespace(status=200, content=SimpleNamespace(readline=readline))


def a_pod(**lives):
    """A change of a pod whose containers of these kinds (`initContainerStatuses`) run, each in the life given."""
    status = {
        kind: [{"name": name, "containerID": f"c://{life}", "state": {"running": {}}} for name, life in named.items()]
        for kind, named in lives.items()
    }
    return Change(0.0, "Pod", "MODIFIED", "subject-1", {"metadata": {"name": "subject-1"}, "status": status})


async def followed(*changes):
    follower = LogFollower(Logs(), "ns", RunClock.start())
    for change in changes:
        follower.see(change)
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
    return follower.logs()


def said(log: Log) -> list[str]:
    return [text for _, text in log.lines]


@pytest.mark.parametrize("kind", ["containerStatuses", "initContainerStatuses"])
def test_each_life_of_each_container_is_followed_once(kind):
    first, second = a_pod(**{kind: {"one": 1}}), a_pod(**{kind: {"one": 2}})
    logs = asyncio.run(followed(first, first, second, second))
    assert [(log.container, log.previous) for log in logs] == [("one", True), ("one", False)]
    assert [said(log) for log in logs] == [["/api/v1/namespaces/ns/pods/subject-1/log one"]] * 2


def test_an_init_container_and_what_comes_after_it_are_both_followed():
    before, after = a_pod(initContainerStatuses={"fetch": 1}), a_pod(containerStatuses={"server": 2})
    assert [log.container for log in asyncio.run(followed(before, after))] == ["fetch", "server"]
