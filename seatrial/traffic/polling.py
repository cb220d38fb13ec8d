"""Probes at a fixed period, and what sets out at the first good one."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from seatrial.traffic.attempt import Attempt
from seatrial.traffic.connection import Connection
from seatrial.traffic.plan import Poll
from seatrial.traffic.sender import Manner, Prepared, Sender
from seatrial.traffic.stream import Stream


class PollStream(Stream):
    """Probes at a fixed period, and cases from the first good one on."""

    def __init__(self, load: Poll, *given: object) -> None:
        super().__init__(load, *given)  # type: ignore[arg-type]
        self._plan = load
        self._probe = Sender(self._loop, Manner(self.route.host, load.timeout_s, reuse=False), self.recorder)
        self._case = Sender(self._loop, Manner(self.route.host, load.cases_timeout_s, reuse=False), self.recorder)
        self._probes = self._probe.prepared(load.exchanges[:1], load.name)
        self._cases = self._case.prepared(load.exchanges[1:], load.cases_load)
        self._good = False
        self._cases_due = 0
        self._next_s = self._origin_s + load.start_s

    def start(self) -> None:
        self._alarm.at(self._next_s, self._due)

    def _more_to_come(self) -> bool:
        return self._next_s < self._origin_s + self._plan.end_s or self._cases_due > 0

    def _due(self) -> None:
        if self.stopped:
            return
        due_s, self._next_s = self._next_s, self._next_s + self._plan.period_s
        self._ask(self._probe, self._probes[0], due_s, self._probed)
        if self._next_s < self._origin_s + self._plan.end_s:
            self._alarm.at(self._next_s, self._due)

    def _probed(self, attempt: Attempt, _: Connection | None) -> None:
        self._has_ended(attempt)
        if 200 <= attempt.status < 300 and not attempt.error and not self._good:
            self._good = True
            self._cases_due = self._plan.cases_count
            now_s = time.monotonic()
            for number in range(self._plan.cases_count):
                due_s = now_s + number * self._plan.cases_period_s
                self._alarm.at(due_s, functools.partial(self._case_due, number, due_s))
        self._end_if_done()

    def _case_due(self, number: int, due_s: float) -> None:
        self._cases_due -= 1
        if not self.stopped:
            self._ask(self._case, self._cases[number % len(self._cases)], due_s, self._case_answered)

    def _case_answered(self, attempt: Attempt, _: Connection | None) -> None:
        self._has_ended(attempt)
        self._end_if_done()

    def _ask(
        self, sender: Sender, request: Prepared, due_s: float, then: Callable[[Attempt, Connection | None], None]
    ) -> None:
        self.recorder.lag_s.append(time.monotonic() - due_s)
        self.scheduled += 1
        self._attempt(sender, request, due_s, self._plan.group, None, then)
