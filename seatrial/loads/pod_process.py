"""A Locust process in a pod, used as one of this machine is: what it leaves comes to a folder here as it is written."""

from __future__ import annotations

import itertools
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seatrial.errors import ClusterError
from seatrial.loads.locust_run import FAILURE_FILE
from seatrial.loads.mirror import Piece, apply
from seatrial.loads.processes import fate
from seatrial.traffic import wire
from seatrial.traffic.channel import Channel

_CUT_OFF = -9  # the exit status of what we cannot know of: nobody has waited for it


class PodProcess:
    """Locust behind a relay (seatrial.loads.relay) at the other end of a channel."""

    def __init__(
        self,
        channel: Channel,
        name: str,
        folder: Path,
        files: Mapping[str, Path],
        start: Mapping[str, Any],
        state: Callable[[], str],
    ) -> None:
        """Start it: `files` by their path there, `start` as the relay has it; what it writes comes to `folder`.

        `state` says what became of its pod. Raises ClusterError when the pod cannot be reached.
        """
        self.name = name
        self._channel = channel
        self._folder = folder
        self._state = state
        self._ids = itertools.count(1)
        self._decoder = wire.Decoder()
        self._ended = threading.Event()
        self._code: int | None = None
        self._cut = ""
        channel.open(self._on_line, self._on_closed)
        for there, file in files.items():
            self._tell({"op": "put", "file": there}, file.read_bytes())
        self._tell({"op": "start", **start})

    def poll(self) -> int | None:
        return self._code if self._ended.is_set() else None

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout) or self._code is None:
            raise subprocess.TimeoutExpired(self.name, timeout or 0.0)
        return self._code

    def terminate(self) -> None:
        self._signal("terminate")

    def kill(self) -> None:
        """End it and the connection: the pod may not answer any more."""
        self._signal("kill")
        self._channel.close()
        self._end(_CUT_OFF, "it did not end when it was told to")

    def fate(self) -> str:
        return f"was cut off from us ({self._state() or self._cut})" if self._cut else fate(self.poll())

    def _signal(self, what: str) -> None:
        try:
            if not self._ended.is_set():
                self._tell({"op": what})
        except ClusterError as gone:
            self._end(_CUT_OFF, str(gone))

    def _tell(self, fields: Mapping[str, Any], payload: bytes = b"") -> None:
        for line in wire.lines(wire.Message(next(self._ids), dict(fields), payload)):
            self._channel.send(line)

    def _on_line(self, line: bytes) -> None:
        try:
            message = self._decoder.line(line)
            if message is None or self._ended.is_set():
                return
            told = message.fields
            if told["op"] == "wrote":
                apply(Piece(told["file"], bytes(message.payload), told["at"], told["size"]), self._folder)
            elif told["op"] == "ended":
                if message.payload:
                    (self._folder / FAILURE_FILE).write_bytes(message.payload)
                self._end(int(told["code"]))
        except (OSError, ValueError) as reason:
            self._end(_CUT_OFF, f"what it wrote could not be kept: {reason}")

    def _on_closed(self, reason: str) -> None:
        self._end(_CUT_OFF, reason)

    def _end(self, code: int, cut: str = "") -> None:
        if not self._ended.is_set():
            self._code, self._cut = code, cut
            self._ended.set()
