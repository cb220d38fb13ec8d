"""What Locust's master adds for a scenario: who carries which share, when all begin, and when all is over.

Locust itself would give the users of a worker that is gone to the others; a share that was lost stays lost, and is
told (seatrial.loads.workers), because what others sent in its place would not have been sent when it was due.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import orjson
from locust.runners import STATE_MISSING

from seatrial.errors import InputError
from seatrial.loads.locust_run import MASTER_FILE
from seatrial.loads.locust_session import end_test, give_up
from seatrial.loads.locust_worker import CLOCK, DONE, READY, SHARE, START, kernel, processes

_LOOK_EVERY_S = 0.2
_UNHEARD_S = 20.0  # of a worker on another machine; Locust calls it missing after 4
_LEAD_S = 1.0
_LEAD_OF_A_REQUEST_S = 1e-5  # until a generator has a share it has to be written, sent and read
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Member:
    """One worker in this run."""

    place: int
    number: int = 0  # by which whoever started it knows it; 0: by none
    pid: int = 0  # 0: not ready yet
    processes: str = ""
    requests: int = 0
    clients: int = 0
    done: bool = False
    gone: bool = False
    heard_s: float = 0.0

    def document(self) -> dict[str, Any]:
        """What others need to know of it."""
        names = ("place", "number", "pid", "requests", "clients", "done", "gone")
        return {name: getattr(self, name) for name in names}


class Master:
    """The master process; a run begins with `begin` and is over, however it ended, with `end`."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._runner = environment.runner
        folder = environment.parsed_options.seatrial_out
        self._file = Path(folder) / MASTER_FILE if folder else None
        self._run = 0
        self._origin_s = 0.0
        self._start_s: float | None = None
        self._lead_s = 0.0
        self._members: dict[str, Member] = {}
        self._watching: Any = None
        self._runner.register_message(CLOCK, self._on_clock)
        self._runner.register_message(READY, self._on_ready)
        self._runner.register_message(DONE, self._on_done)
        self._tell()

    def begin(self) -> None:
        """Deal the shares out to the workers that are there."""
        clients = self._runner.clients
        there = [client.id for client in clients.ready + clients.running + clients.spawning]
        there.sort(key=self._runner.get_worker_index)
        self._run += 1
        self._origin_s, self._start_s = time.monotonic(), None
        self._members = {id: Member(place, heard_s=self._origin_s) for place, id in enumerate(there)}
        for id, member in self._members.items():
            self._send(id, SHARE, place=member.place, members=len(there), origin_s=self._origin_s, kernel=kernel())
        self._watching = gevent.spawn(self._watch)

    def end(self) -> None:
        """Look after the workers no longer."""
        if self._watching is not None and self._watching is not gevent.getcurrent():
            self._watching.kill(block=False)

    def _watch(self) -> None:
        try:
            self._look_until_over()
        except (InputError, OSError) as reason:  # the disk may be full
            give_up(self._environment, self._file.parent if self._file else None, reason)
        else:
            end_test(self._environment)

    def _look_until_over(self) -> None:
        if self._runner.target_user_count < len(self._members):
            raise InputError(
                f"--users: expected one for each of {len(self._members)} workers, "
                f"found {self._runner.target_user_count}; give --users {len(self._members)}"
            )
        while not all(member.done or member.gone for member in self._members.values()):
            gevent.sleep(_LOOK_EVERY_S)
            for id, member in self._members.items():
                if not member.gone and not member.done and self._is_gone(id, member):
                    member.gone = True
                    _log.error(
                        "share %s of the load is lost: its worker, process %s, is gone", member.place, member.pid
                    )
                    self._tell()
            if self._start_s is None:
                self._start_when_all_are_ready()
        self._tell()

    def _start_when_all_are_ready(self) -> None:
        if gone := [member.place + 1 for member in self._members.values() if member.gone]:
            raise InputError(f"workers: expected all to become ready for the load, found that {gone} ended before it")
        if all(member.pid for member in self._members.values()):
            most = max(member.requests for member in self._members.values())
            self._lead_s = _LEAD_S + most * _LEAD_OF_A_REQUEST_S
            self._start_s = time.monotonic() - self._origin_s + self._lead_s
            for id in self._members:
                self._send(id, START, start_s=self._start_s)
            self._tell()

    def _is_gone(self, id: str, member: Member) -> bool:
        if id not in self._runner.clients:  # it said so itself
            return True
        if member.processes == processes():
            return not _lives(member.pid)
        now_s = time.monotonic()
        if self._runner.clients[id].state != STATE_MISSING:
            member.heard_s = now_s
        return now_s - member.heard_s > _UNHEARD_S

    def _on_clock(self, environment: Any, msg: Any, **_: Any) -> None:
        self._send(msg.node_id, CLOCK, now_s=time.monotonic())

    def _on_ready(self, environment: Any, msg: Any, **_: Any) -> None:
        member = self._of(msg)
        if member is not None:
            member.processes = msg.data["processes"]
            member.number = msg.data["number"]
            member.requests, member.clients = msg.data["requests"], msg.data["clients"]
            member.pid = msg.data["pid"]

    def _on_done(self, environment: Any, msg: Any, **_: Any) -> None:
        member = self._of(msg)
        if member is not None:
            member.done = True

    def _of(self, msg: Any) -> Member | None:
        return self._members.get(msg.node_id) if msg.data["run"] == self._run else None

    def _send(self, id: str, kind: str, **data: Any) -> None:
        self._runner.send_message(kind, {"run": self._run, **data}, client_id=id)

    def _tell(self) -> None:
        """Write down what whoever started us wants to know, whole or not at all."""
        if self._file is None:
            return
        facts = {
            "pid": os.getpid(),
            "port": self._runner.server.port,
            "start_s": self._start_s,
            "lead_s": self._lead_s,  # from when start_s was named until it came
            "workers": [member.document() for member in self._members.values()],
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".tmp")
        draft.write_bytes(orjson.dumps(facts))
        draft.replace(self._file)


def _lives(pid: int) -> bool:
    """Whether a process that we can see still runs: one that ended and was not waited for yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
