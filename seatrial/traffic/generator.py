"""The runner's side of a load generator: synchronous, and safe to use from several threads."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from seatrial.errors import ClusterError, InputError, InvalidMeasurement
from seatrial.ledger import Ledger
from seatrial.observation import GeneratorHealth
from seatrial.traffic import wire
from seatrial.traffic.channel import Channel
from seatrial.traffic.clocks import ClockOffset, bound_s, compared
from seatrial.traffic.ledger_file import LedgerFile
from seatrial.traffic.plan import Load
from seatrial.traffic.plan_codec import encode
from seatrial.traffic.recorder import unpack

_ANSWER_WITHIN_S = 30.0
_START_WITHIN_S = 300.0  # a schedule of ten million arrivals is over 100 MB


class Generator:
    """One agent. `origin_s` is second 0 of the run's clock on this process's time.monotonic().

    Every method raises ClusterError when the agent cannot be reached or refuses, and InputError for an adapter of the
    user's own that fails there.
    """

    def __init__(self, channel: Channel, origin_s: float) -> None:
        self._channel = channel
        self._origin_s = origin_s
        self._ids = itertools.count(1)
        self._waiting: dict[int, Future[wire.Message]] = {}
        self._lock = threading.Lock()
        self._closed: str | None = None
        self._decoder = wire.Decoder()
        self._clock: ClockOffset | None = None
        self._self_test: tuple[str, ...] = ()
        channel.open(self._on_line, self._on_closed)

    def __enter__(self) -> Generator:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def now_s(self) -> float:
        """The run's clock."""
        return time.monotonic() - self._origin_s

    def count_from(self, origin_s: float) -> None:
        """Put second 0 of the run's clock elsewhere; before the first run."""
        self._origin_s = origin_s

    def synchronise(self) -> ClockOffset:
        """Compare the clocks."""
        self._clock = compared(lambda: float(self._ask("clock").fields["now_s"]))
        return self._clock

    def start(self, loads: Sequence[Load], file: Path | None = None) -> Run:
        """Begin to send; arrivals whose time has passed are sent at once and count as lag.

        With a file, which has to be on the agent's machine, the ledger is written there (seatrial.traffic.ledger_file)
        as the run goes on, and the agent's memory stays bounded.
        """
        clock = self._clock or self.synchronise()
        return self._started(loads, clock, file, start_s=self._origin_s - clock.offset_s)

    def start_at(self, loads: Sequence[Load], at_s: float, file: Path | None = None) -> Run:
        """Begin to send; the loads' times count from at_s on the run's clock. What has passed by then counts as lag.

        `file` as in `start`.
        """
        clock = self._clock or self.synchronise()
        return self._started(loads, clock, file, start_s=self._origin_s + at_s - clock.offset_s)

    def start_now(self, loads: Sequence[Load], lead_s: float = 0.0, file: Path | None = None) -> Run:
        """Begin to send; the loads' times count from lead_s after the moment at which the agent has them.

        `file` as in `start`.
        """
        return self._started(loads, self._clock or self.synchronise(), file, start_s=None, lead_s=lead_s)

    def _started(self, loads: Sequence[Load], clock: ClockOffset, file: Path | None, **when: float | None) -> Run:
        name, origin_s = f"run-{next(self._ids)}", self._origin_s - clock.offset_s
        where = None if file is None else str(file.absolute())
        begun = self._ask("start", encode(loads), _START_WITHIN_S, run=name, origin_s=origin_s, file=where, **when)
        return Run(self, name, clock, begun.fields["start_s"] - origin_s, file)

    def self_test(self) -> tuple[str, ...]:
        """What the generator records otherwise than it is; empty when all is well. Kept for `health`."""
        self._self_test = tuple(orjson.loads(self._ask("self_test").payload))
        return self._self_test

    def health(self, *runs: Run) -> GeneratorHealth:
        """Whether these runs, taken together, were sent as planned, so far. The clock bound covers drift since then."""
        counts = self._ask("health", runs=[run.name for run in runs]).fields
        known_within_s = bound_s([run.clock for run in runs], self.synchronise())
        return GeneratorHealth(**counts, clock_bound_s=known_within_s, self_test=self._self_test)

    def close(self) -> None:
        """End the agent."""
        self._channel.close()

    def _ended(self, operation: str, name: str, timeout_s: float) -> wire.Message:
        try:
            return self._ask(operation, run=name, within_s=timeout_s)
        except TimeoutError as reason:
            raise InvalidMeasurement(
                f"generator: expected every attempt of {name} to end within {timeout_s} s, found some still open; "
                "collect for longer than the last arrival plus the attempts' timeout"
            ) from reason

    def _tell(self, operation: str, run: str) -> None:
        self._ask(operation, run=run)

    def _ask(
        self, operation: str, payload: bytes = b"", within_s: float = _ANSWER_WITHIN_S, **fields: Any
    ) -> wire.Message:
        number = next(self._ids)
        future: Future[wire.Message] = Future()
        with self._lock:
            if self._closed is not None:
                raise ClusterError(f"generator: expected an agent that answers, found that {self._closed}")
            self._waiting[number] = future
        try:
            for line in wire.lines(wire.Message(number, {"op": operation, **fields}, payload)):
                self._channel.send(line)
            answer = future.result(within_s)
        except TimeoutError as reason:
            if operation in ("collect", "finish"):
                raise
            raise ClusterError(
                f"generator: expected an answer to {operation!r} within {within_s} s, found none; "
                "see whether its machine or pod is starved of CPU"
            ) from reason
        finally:
            with self._lock:
                self._waiting.pop(number, None)
        if answer.fields.get("error") == "input":
            raise InputError(answer.payload.decode())
        if "error" in answer.fields:
            raise ClusterError(f"generator: {operation} was refused: {answer.payload.decode()}")
        return answer

    def _on_line(self, line: bytes) -> None:
        try:
            message = self._decoder.line(line)
        except ValueError as reason:
            self._on_closed(f"it said what no agent says ({reason})")
            return
        if message is not None:
            with self._lock:
                future = self._waiting.pop(message.id, None)
            if future is not None:
                future.set_result(message)

    def _on_closed(self, reason: str) -> None:
        with self._lock:
            self._closed = self._closed or reason
            futures = list(self._waiting.values())
            self._waiting.clear()
        for future in futures:
            try:
                future.set_exception(ClusterError(f"generator: expected an answer, found that {reason}"))
            except InvalidStateError:
                continue


@dataclass(frozen=True, slots=True)
class Run:
    """Loads that were started together on one generator."""

    generator: Generator
    name: str
    clock: ClockOffset
    start_s: float  # on the run's clock: from when the loads' times count
    file: Path | None = None  # where the agent keeps the ledger

    def finish(self, timeout_s: float) -> None:
        """Wait until every attempt has ended and is kept.

        Raises InvalidMeasurement after timeout_s, and where attempts are missing from the file for want of room.
        """
        _refuse_lost(self.generator._ended("finish", self.name, timeout_s))

    def collect(self, timeout_s: float) -> Ledger:
        """Wait as `finish` does; all rows, in memory."""
        if self.file is None:
            return unpack(self.generator._ended("collect", self.name, timeout_s).payload)
        self.finish(timeout_s)
        with LedgerFile(self.file) as kept:
            return kept.ledger()

    def so_far(self, within_s: float) -> Ledger:
        """Every attempt that has ended within so many seconds from now, of a ledger that the agent has in memory."""
        return unpack(
            self.generator._ask("collect", b"", within_s + _ANSWER_WITHIN_S, run=self.name, wait_s=within_s).payload
        )

    def fresh(self) -> tuple[Ledger, bool]:
        """The rows that have ended since the last call, and whether those were the last; before `collect`.

        They come without headers and bodies. Raises InvalidMeasurement as `finish` does.
        """
        answer = self.generator._ask("fresh", run=self.name)
        _refuse_lost(answer)
        return unpack(answer.payload), bool(answer.fields["finished"])

    def stop(self) -> None:
        """Send nothing more; what is open finishes. Rows that were never due are not in the ledger."""
        self.generator._tell("stop", self.name)

    def health(self) -> GeneratorHealth:
        """Whether this run was sent as planned, so far."""
        return self.generator.health(self)


def _refuse_lost(answer: wire.Message) -> None:
    if answer.fields["failure"] is not None:
        raise InvalidMeasurement(answer.fields["failure"])
