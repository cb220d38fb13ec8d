"""What Locust's master adds for a scenario: who carries which share, when all begin, and when all is over.

Locust itself would give the users of a worker that is gone to the others; a share that was lost stays lost, and is
told (seatrial.loads.workers), because what others sent in its place would not have been sent when it was due.

Nor is it for Locust to say which worker is gone: it counts heartbeats, and misses four where a machine is busy for as
many seconds. And no message is waited for without end, because it may be lost with its connection.
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
from locust.dispatch import UsersDispatcher
from locust.runners import HEARTBEAT_LIVENESS, WorkerNode

from seatrial.errors import InputError, InvalidMeasurement
from seatrial.loads.locust_end import end_test, give_up
from seatrial.loads.locust_run import MASTER_FILE, READY_WITHIN_S
from seatrial.loads.locust_worker import CLOCK, DONE, HERE, READY, SHARE, START, kernel, processes

_LOOK_EVERY_S = 0.2
_UNHEARD_S = 20.0  # of a worker on another machine, in which the master itself was awake
_DONE_WITHIN_S = 120.0  # beyond the longest that a request may be open
_LEAD_S = 1.0
_LEAD_OF_A_REQUEST_S = 1e-5  # until a generator has a share it has to be written, sent and read
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Member:
    """One worker in this run."""

    place: int
    number: int = 0  # by which whoever started it knows it; 0: by none
    pid: int = 0
    processes: str = ""
    requests: int = 0
    clients: int = 0
    over_s: float = 0.0  # after the start
    ready: bool = False
    done: bool = False
    gone: bool = False
    unheard_s: float = 0.0

    def document(self) -> dict[str, Any]:
        """What others need to know of it."""
        names = ("place", "number", "pid", "requests", "clients", "done", "gone")
        return {name: getattr(self, name) for name in names}


class Dealt(UsersDispatcher):
    """Gives each worker its users once.

    Locust gives all of them out anew when a worker comes, goes, or says twice that it is ready, as it does when it had
    no answer for 5 s. A share whose user was taken away before it began would never be ready.
    """

    def add_worker(self, worker_node: WorkerNode) -> None:
        """One that comes late has no share."""

    def remove_worker(self, worker_node: WorkerNode) -> None:
        """Nobody takes over the share of one that is gone."""


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
        if environment.parsed_options.scenario:
            environment.dispatcher_class = Dealt
            environment.events.heartbeat_sent.add_listener(self._on_heartbeat)
        self._runner.register_message(CLOCK, self._on_clock)
        self._runner.register_message(HERE, self._on_here)
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
        self._members = {id: Member(place) for place, id in enumerate(there)}
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
        except Exception as reason:  # noqa: BLE001 - nobody else would end the load
            give_up(self._environment, self._file.parent if self._file else None, reason)
        else:
            end_test(self._environment)

    def _look_until_over(self) -> None:
        if self._runner.target_user_count < len(self._members):
            raise InputError(
                f"--users: expected one for each of {len(self._members)} workers, "
                f"found {self._runner.target_user_count}; give --users {len(self._members)}"
            )
        while waited_for := [id for id, member in self._members.items() if not member.done and not member.gone]:
            gevent.sleep(_LOOK_EVERY_S)
            for id in waited_for:
                self._look_after(id, self._members[id])
            if self._start_s is None:
                self._start_when_all_are_ready()
        self._tell()

    def _look_after(self, id: str, member: Member) -> None:
        member.unheard_s += _LOOK_EVERY_S
        if self._is_gone(id, member):
            self._lose(member, "is gone")
        elif self._start_s is not None and self._now_s() > self._start_s + member.over_s + _DONE_WITHIN_S:
            self._lose(member, f"did not say that it is done within {_DONE_WITHIN_S:g} s after its last request")
        else:
            self._runner.clients[id].heartbeat = HEARTBEAT_LIVENESS  # Locust counts that down

    def _lose(self, member: Member, why: str) -> None:
        member.gone = True
        _log.error("share %s of the load is given up: its worker, process %s, %s", member.place, member.pid, why)
        self._tell()

    def _now_s(self) -> float:
        return time.monotonic() - self._origin_s

    def _start_when_all_are_ready(self) -> None:
        if gone := [member.place + 1 for member in self._members.values() if member.gone]:
            raise InputError(f"workers: expected all to become ready for the load, found that {gone} ended before it")
        late = [member.place + 1 for member in self._members.values() if not member.ready]
        if late and self._now_s() > READY_WITHIN_S:
            raise InvalidMeasurement(
                f"workers: expected all to become ready for the load within {READY_WITHIN_S:g} s, found no word of "
                f"{late}; see whether their machine is too busy, or what the Locust file waits for"
            )
        if not late:
            most = max(member.requests for member in self._members.values())
            self._lead_s = _LEAD_S + most * _LEAD_OF_A_REQUEST_S
            self._start_s = self._now_s() + self._lead_s
            for id in self._members:
                self._send(id, START, start_s=self._start_s)
            self._tell()

    def _is_gone(self, id: str, member: Member) -> bool:
        if id not in self._runner.clients:  # it said so itself
            return True
        if member.processes == processes():
            return not _lives(member.pid)
        return member.ready and member.unheard_s > _UNHEARD_S  # one that draws its share sends no heartbeats meanwhile

    def _on_heartbeat(self, client_id: str, **_: Any) -> None:
        if member := self._members.get(client_id):
            member.unheard_s = 0.0

    def _on_clock(self, environment: Any, msg: Any, **_: Any) -> None:
        self._send(msg.node_id, CLOCK, now_s=time.monotonic())

    def _on_here(self, environment: Any, msg: Any, **_: Any) -> None:
        member = self._of(msg)
        if member is not None:
            member.number, member.pid, member.processes = (msg.data[name] for name in ("number", "pid", "processes"))

    def _on_ready(self, environment: Any, msg: Any, **_: Any) -> None:
        member = self._of(msg)
        if member is not None:
            member.requests, member.clients = msg.data["requests"], msg.data["clients"]
            member.over_s, member.ready, member.unheard_s = msg.data["over_s"], True, 0.0

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
