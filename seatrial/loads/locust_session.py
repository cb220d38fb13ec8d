"""The generator of one Locust process, what it was asked to send, and what it recorded."""

from __future__ import annotations

import itertools
import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import gevent
import orjson
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from locust.stats import StatsEntry, StatsEntryDict, StatsError, bucket_response_time

from seatrial.errors import InputError
from seatrial.ledger import Ledger
from seatrial.loads.locust_end import end_test
from seatrial.loads.locust_run import LEDGER_FILE, RUN_FILE, ledgers_in
from seatrial.loads.locust_stats import entries
from seatrial.loads.locust_worker import Worker
from seatrial.loads.scenario import Scenario, read_scenario, refuse_too_fast
from seatrial.loads.schedule import Sized, schedule
from seatrial.loads.shares import Part, clients_in, over_s, requests_in, shared
from seatrial.loads.summary import why_invalid
from seatrial.observation import GeneratorHealth
from seatrial.traffic.channel import ProcessChannel
from seatrial.traffic.clocks import ClockOffset, bound_s
from seatrial.traffic.generator import Generator, Run
from seatrial.traffic.plan import Exchange, Load, Target

_REPORT_EVERY_S = 0.5
LEAD_S = 0.5
_LEAD_OF_EACH_S = 1e-6  # to hand over the schedule takes longer the more is in it
_COLLECT_WITHIN_S = 60.0  # of a run that has ended
_log = logging.getLogger(__name__)


class Carried(NamedTuple):
    """A run that has ended, or was stopped before its end."""

    run: Run
    stopped: bool


@dataclass(frozen=True, slots=True)
class Offered:
    """What is sent for a user, its schedule beginning at start_s; `carried_out` returns what was Carried."""

    start_s: float
    carried_out: gevent.Greenlet
    left: Event  # the user is gone: nothing more is to be sent


class Session:
    """From Locust's start of a test to its end."""

    def __init__(self, environment: Any, worker: Worker | None) -> None:
        options = environment.parsed_options
        self.environment = environment
        self.scenario: Scenario | None = read_scenario(Path(options.scenario)) if options.scenario else None
        self._worker = worker
        self._taken = False
        self._part = Part(0, 1, time.monotonic())
        if worker is not None and self.scenario is not None:
            if part := worker.part():
                self._part = part
            else:
                _log.warning("came_too_late_for_a_share")
                self._taken = True
        if self.scenario is not None:
            refuse_too_fast(Path(options.scenario), self.scenario, self._part.members)
        self._folder = session_folder(environment, worker)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            for file in (*ledgers_in(self._folder), self._folder / RUN_FILE):
                file.unlink(missing_ok=True)  # of an earlier run
        self._passing = tempfile.TemporaryDirectory(prefix="seatrial-load-")  # for rows that nobody wants to keep
        self._count = itertools.count()
        self.generator = Generator(ProcessChannel(), self._part.origin_s)
        try:
            self.generator.self_test()
        except BaseException:  # this greenlet may be killed: stopped, or told another rate, before it began
            self.generator.close()
            raise
        self._clocks: list[ClockOffset] = []  # of this machine and its master's, one after the other
        self._offered: list[Offered] = []
        self._outlasting: list[gevent.Greenlet] = []
        self._muted = False
        self._rows = 0
        self._closing = BoundedSemaphore()
        self._closed = False

    def outlasting(self, task: Callable[..., None], *arguments: object) -> None:
        """Do this and wait for its end; it goes on without whoever waits here, until the session closes."""
        begun = gevent.spawn(task, *arguments)
        self._outlasting.append(begun)
        begun.join()

    def carry_out_scenario(self, target: Target, exchanges: Sequence[Exchange], sized: Sized | None) -> None:
        """Send this process's share of the scenario and write down what came of it; returns at its end.

        `exchanges` and `sized` are as in `schedule`.
        Only the first user does that: more of them do not make the scenario's load another one.
        """
        if self._taken or self.scenario is None:
            _log.warning("The scenario's load is carried already: change its rates, more users change nothing")
            return
        self._taken = True
        if len(kinds := self.environment.user_classes) > 1:
            raise InputError(
                f"--scenario: expected a Locust file with one class of users, which has the scenario's requests, "
                f"found {', '.join(sorted(kind.__name__ for kind in kinds))}; name the one to use beside -f"
            )
        self._go_by_masters_clock()
        drawn = schedule(self.scenario, target, exchanges, 0.0, sized)
        sent = tuple({each.case: each for load in drawn for each in load.exchanges}.values())
        loads = shared(drawn, self._part.place, self._part.members)
        if self._worker is not None:
            start_s = self._worker.ready(requests_in(loads), clients_in(loads), over_s(loads))
        else:
            start_s = self.generator.now_s() + LEAD_S + requests_in(loads) * _LEAD_OF_EACH_S
        offered = self.carry_out(loads, sent, start_s, Event())
        offered.carried_out.get()
        if self._worker is not None:
            self._clocks.append(self._worker.master_clock())
        self._save([offered])
        self._offered.remove(offered)
        if self._worker is not None:
            self._worker.done()
        else:
            gevent.spawn(end_test, self.environment)  # from outside of the user that is stopped by it

    def _go_by_masters_clock(self) -> None:
        if self._worker is not None:
            self._clocks = [self._worker.master_clock()]
            self.generator.count_from(self._part.origin_s + self._clocks[0].offset_s)

    def carry_out(self, loads: Sequence[Load], exchanges: Sequence[Exchange], start_s: float, left: Event) -> Offered:
        """Begin to send loads whose times count from start_s on the run's clock, until `left` is set."""
        # By a greenlet of its own: a user may be killed with a run just begun, or with rows in hand.
        offered = Offered(start_s, gevent.spawn(self._carry_out, loads, exchanges, start_s, left), left)
        self._offered.append(offered)
        return offered

    def mute(self) -> None:
        """Report nothing more: Locust has begun anew, with statistics that are not of these runs."""
        self._muted = True

    def close(self) -> None:
        """End what still runs, keep what it found, and end the generator. Who comes second waits for the first."""
        with self._closing:
            if self._closed:
                return
            try:
                gevent.killall(self._outlasting)
                self._end_runs()
            finally:
                self.generator.close()
                self._passing.cleanup()
                self._closed = True

    def _end_runs(self) -> None:
        for one in self._offered:
            one.left.set()
        gevent.joinall([one.carried_out for one in self._offered])
        ended = [one for one in self._offered if one.carried_out.successful()]
        if not ended:
            return
        self._save(ended)
        if self.scenario is None:
            health = self.generator.health(*(one.carried_out.value.run for one in ended))
            for reason in why_invalid(health, stopped=False, rows=self._rows):
                _log.warning("No measurement: %s", reason)

    def _carry_out(self, loads: Sequence[Load], exchanges: Sequence[Exchange], start_s: float, left: Event) -> Carried:
        """Send loads, and report them to Locust's statistics as they go."""
        file = (self._folder or Path(self._passing.name)) / numbered(LEDGER_FILE, next(self._count))
        run = self.generator.start_at(loads, start_s, file)
        is_stopped = False
        while not self._report(run, exchanges):
            if is_stopped:
                gevent.sleep(_REPORT_EVERY_S)
            elif left.wait(_REPORT_EVERY_S):
                run.stop()
                is_stopped = True
        return Carried(run, is_stopped)

    def _report(self, run: Run, exchanges: Sequence[Exchange]) -> bool:
        rows, finished = run.fresh()
        self._rows += len(rows)
        if len(rows) and not self._muted:
            report(self.environment.stats, rows, exchanges, time.time() - self.generator.now_s())
        return finished

    def _save(self, ended: Sequence[Offered]) -> None:
        if self._folder is None:
            return
        runs = [one.carried_out.value.run for one in ended]
        for run in runs:
            run.finish(_COLLECT_WITHIN_S)
        health = self.generator.health(*runs)
        if self._clocks:
            health = replace(health, clock_bound_s=health.clock_bound_s + bound_s(self._clocks[:1], self._clocks[-1]))
        facts = {
            "stopped": any(one.carried_out.value.stopped for one in ended),
            "start_s": min(one.start_s for one in ended),
            "place": self._part.place,
            "members": self._part.members,
            "health": health_document(health),
        }
        file = self._folder / RUN_FILE
        try:
            file.write_bytes(orjson.dumps(facts))
        except OSError:
            file.unlink(missing_ok=True)  # a part of it says nothing
            raise


def numbered(name: str, before: int) -> str:
    """The name of a file, told from those of as many before it."""
    stem, _, suffix = name.partition(".")
    return f"{stem}-{before + 1}.{suffix}" if before else name


def session_folder(environment: Any, worker: Worker | None) -> Path | None:
    """Where a process leaves its ledger; None where it was not asked to."""
    if worker is not None:
        return worker.folder
    return Path(environment.parsed_options.seatrial_out) if environment.parsed_options.seatrial_out else None


def report(stats: Any, rows: Ledger, exchanges: Sequence[Exchange], wall_s: float) -> None:
    """Add rows to Locust's statistics, as its master adds what a worker sends."""
    found, failed = entries(rows, exchanges, wall_s, bucket_response_time)
    for entry in found:
        part = StatsEntry.unserialize(cast(StatsEntryDict, entry), stats)
        stats.entries[part.name, part.method].extend(part)
        stats.total.extend(part)
    for (method, name, kind), failures in failed.items():
        key = StatsError.create_key(method, name, kind)
        error = stats.errors.setdefault(key, StatsError(method, name, kind))
        error.occurrences += failures.occurrences
        error.first_seen = min(failures.first_seen, error.first_seen or failures.first_seen)
        error.last_seen = max(failures.last_seen, error.last_seen or failures.last_seen)


def health_document(health: GeneratorHealth) -> dict[str, Any]:
    """The generator's health as JSON."""
    return {name: getattr(health, name) for name in GeneratorHealth.__slots__}
