"""The generator's own process: `python -m seatrial.traffic.agent`, spoken to in lines on stdin and stdout.

It runs where traffic has to be timed: on this machine, or in a pod of the cluster. It needs numpy, orjson,
httptools and, where there is one, uvloop. Its operations, each a message with `op` (seatrial.traffic.wire):

    clock      -> now_s                       its monotonic clock
    start      run, origin_s, payload: loads -> start_s   begin; origin_s is second 0 of the run on this clock, the
                                              loads' times count from start_s, or from lead_s after now where that
                                              is null; the ledger is kept in `file`, or in memory where that is null
    stop       run                            send nothing more
    finish     run -> failure                 wait until the last attempt has ended and is kept
    collect    run -> payload: ledger         the same, and all rows; with wait_s, those there are by then at the latest
    fresh      run -> finished, failure, payload: ledger   what has ended since the last time
    health     runs -> counts and lags of all together
    self_test  -> payload: what it saw wrong
    quit

An operation that cannot be done answers with `error`: "input" where an adapter that came with the loads is to blame.
The process ends when stdin does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson

from seatrial.errors import InputError
from seatrial.traffic import self_test, wire
from seatrial.traffic.adapters import own
from seatrial.traffic.engine import Engine, Run, health
from seatrial.traffic.plan import Connects, Source
from seatrial.traffic.plan_codec import decode
from seatrial.traffic.recorder import Recorder, pack

_READ_LIMIT = 1024 * 1024
Reply = tuple[dict[str, Any], bytes]


class Agent:
    """Answers messages about its runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._runs: dict[str, Run] = {}
        self._sources: dict[str, set[Source]] = {}  # of each run: the adapters that came with its loads
        self._operations: dict[str, Callable[[wire.Message], Awaitable[Reply]]] = {
            "clock": self._clock,
            "start": self._start,
            "stop": self._stop,
            "finish": self._finish,
            "collect": self._collect,
            "fresh": self._fresh,
            "health": self._health,
            "self_test": self._self_test,
        }

    async def answer(self, message: wire.Message) -> wire.Message:
        """Do what the message asks; never raises for what a caller got wrong."""
        operation = self._operations.get(message.fields.get("op", ""))
        if operation is None:
            found = message.fields.get("op")
            return _refusal(message, f"expected one of {sorted(self._operations)}, found {found!r}")
        try:
            fields, payload = await operation(message)
        except InputError as refused:
            return wire.Message(message.id, {"error": "input"}, str(refused).encode())
        except Exception as reason:  # noqa: BLE001 - whoever asked waits for an answer, whatever it is
            return _refusal(message, f"{type(reason).__name__}: {reason}")
        return wire.Message(message.id, fields, payload)

    def save(self) -> None:
        """Let everything that has ended so far reach the disk, as far as it is kept there."""
        for run in self._runs.values():
            run.recorder.keep()
            run.recorder.sink.drain()

    async def _clock(self, message: wire.Message) -> Reply:
        return {"now_s": time.monotonic()}, b""

    async def _start(self, message: wire.Message) -> Reply:
        loads, fields = decode(message.payload), message.fields
        start_s = fields.get("start_s")
        if start_s is None:
            start_s = time.monotonic() + fields.get("lead_s", 0.0)
        file = Path(fields["file"]) if fields.get("file") else None
        self._sources[fields["run"]] = {
            exchange.source
            for load in loads
            if not isinstance(load, Connects)
            for exchange in load.exchanges
            if exchange.source is not None
        }
        self._runs[fields["run"]] = await self._engine.start(loads, fields["origin_s"], start_s, file)
        return {"start_s": start_s}, b""

    async def _stop(self, message: wire.Message) -> Reply:
        self._run(message).stop()
        return {}, b""

    async def _finish(self, message: wire.Message) -> Reply:
        run = self._run(message)
        await asyncio.shield(run.finished)
        self._refuse_failed_adapter(message)
        return {"failure": run.recorder.sink.failure}, b""

    async def _collect(self, message: wire.Message) -> Reply:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._run(message).finished), message.fields.get("wait_s"))
        self._refuse_failed_adapter(message)
        return {}, await asyncio.to_thread(pack, self._run(message).ledger())

    async def _fresh(self, message: wire.Message) -> Reply:
        run = self._run(message)
        self._refuse_failed_adapter(message)
        rows, finished = run.fresh()
        failure = run.recorder.sink.failure
        return {"finished": finished, "failure": failure}, await asyncio.to_thread(pack, rows)

    async def _health(self, message: wire.Message) -> Reply:
        runs = [self._runs[name] for name in message.fields["runs"]]
        return health(runs), b""

    async def _self_test(self, message: wire.Message) -> Reply:
        return {}, orjson.dumps(await self_test.self_test(self._engine))

    def _refuse_failed_adapter(self, message: wire.Message) -> None:
        if failure := own.failure(self._sources[message.fields["run"]]):
            raise InputError(failure)

    def _run(self, message: wire.Message) -> Run:
        name = message.fields.get("run")
        if name not in self._runs:
            raise ValueError(f"expected a run that was started, found {name!r}")
        return self._runs[name]


def _refusal(message: wire.Message, reason: str) -> wire.Message:
    return wire.Message(message.id, {"error": "refused"}, reason.encode())


async def serve() -> None:
    """Answer what comes on stdin until it ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_READ_LIMIT)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    output, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, sys.stdout)
    engine = Engine()
    agent = Agent(engine)
    pack(Recorder().ledger(0.0))  # numpy loads what it needs for this only now, and not while something is due
    decoder = wire.Decoder()
    tasks: set[asyncio.Task[None]] = set()

    async def reply(message: wire.Message) -> None:
        answered = await agent.answer(message)
        # Compressing a large ledger would hold up whatever another run has to send meanwhile.
        output.write(await asyncio.to_thread(wire.encode, answered) if answered.payload else wire.encode(answered))

    while line := await reader.readline():
        message = decoder.line(line)
        if message is None:
            continue
        if message.fields.get("op") == "quit":
            break
        task = loop.create_task(reply(message))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    engine.close()
    agent.save()
    output.close()


def main() -> None:
    """Run the agent, on uvloop where it is installed."""
    # Ctrl-C reaches the whole process group; what was recorded until then must still be fetched.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # It uses little CPU but needs it at once, and niceness counts only within a session of processes (autogroups,
    # sched(7)). Where real time is not allowed, the lag is what it is, and is measured.
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve())
    else:
        uvloop.run(serve())


if __name__ == "__main__":
    main()
