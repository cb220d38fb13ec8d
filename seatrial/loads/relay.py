"""Locust in a pod, for a `seatrial load` elsewhere: `python -m seatrial.loads.relay`, spoken to in lines.

On stdin, each a message (seatrial.traffic.wire) with `op`:

    put        file, payload                 a file that the load needs
    start      locust_file, scenario, folder, out, options, environment
                                             begin: Locust's log and records are kept in `folder`
    terminate, kill                          pass the signal on to Locust

On stdout:

    wrote      file, at, size, payload       what Locust has written to its folder since (seatrial.loads.mirror)
    ended      code, payload                 Locust's exit status, and why it could not be started, if that is so

Everything that was written goes out a moment later, so that little is missing of a pod that is killed. When stdin
ends, so does Locust: no load goes on without whoever asked for it.
"""

from __future__ import annotations

import itertools
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from seatrial.loads.locust_run import started_locust
from seatrial.loads.mirror import Mirrored
from seatrial.loads.processes import Process, end
from seatrial.traffic import wire

_LOOK_EVERY_S = 0.5
_END_WITHIN_S = 30.0


class Relay:
    """One Locust process and the folder that it writes to."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._ids = itertools.count(1)
        self._process: Process | None = None
        self._mirrored: Mirrored | None = None

    def serve(self, asked: queue.Queue[wire.Message | None]) -> None:
        """Do what is asked until Locust has ended, or None says that nobody asks any more."""
        try:
            while (code := self._process.poll() if self._process else None) is None:
                for message in _waiting(asked):
                    if message is None:
                        return
                    self._do(message)
                self._pass_on()
            self._pass_on()
            self._say({"op": "ended", "code": code})
        except OSError as reason:  # of a file that cannot be put, or a program that cannot be started
            self._say({"op": "ended", "code": 1}, str(reason).encode())
        finally:
            if self._process is not None:
                end([self._process], _END_WITHIN_S)

    def _do(self, message: wire.Message) -> None:
        told = message.fields
        if told["op"] == "put":
            file = Path(told["file"])
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(message.payload)
        elif told["op"] == "start":
            self._start(told)
        elif told["op"] in ("terminate", "kill") and self._process is not None:
            getattr(self._process, told["op"])()

    def _start(self, told: dict[str, Any]) -> None:
        folder = Path(told["folder"])
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.update(told["environment"])
        self._process = started_locust(
            Path(told["locust_file"]), Path(told["scenario"]), folder, Path(told["out"]), *told["options"]
        )
        self._mirrored = Mirrored(folder)

    def _pass_on(self) -> None:
        if self._mirrored is not None:
            for piece in self._mirrored.changes():
                self._say({"op": "wrote", "file": piece.file, "at": piece.at, "size": piece.size}, piece.data)

    def _say(self, fields: dict[str, Any], payload: bytes = b"") -> None:
        for line in wire.lines(wire.Message(next(self._ids), fields, payload)):
            self._output.write(line)
        self._output.flush()


def _waiting(asked: queue.Queue[wire.Message | None]) -> Iterator[wire.Message | None]:
    """What waits to be done, after a moment in which something may come."""
    try:
        yield asked.get(timeout=_LOOK_EVERY_S)
        while True:
            yield asked.get_nowait()
    except queue.Empty:
        return


def _read(source: BinaryIO, asked: queue.Queue[wire.Message | None]) -> None:
    decoder = wire.Decoder()
    try:
        for line in source:
            if (message := decoder.line(line)) is not None:
                asked.put(message)
    finally:
        asked.put(None)


def main() -> None:
    """Serve stdin and stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked: queue.Queue[wire.Message | None] = queue.Queue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, asked), daemon=True).start()
    Relay(sys.stdout.buffer).serve(asked)


if __name__ == "__main__":
    main()
