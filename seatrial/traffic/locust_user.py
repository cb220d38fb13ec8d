"""A Locust user whose requests are sent by Seatrial's generator, on schedule, in a process of its own.

Importing this module imports Locust, which patches the standard library for gevent: import it only from a
Locust file. gevent never touches the generator, which runs in another process (seatrial.traffic.agent).

    class Ask(OpenLoopUser):
        def exchanges(self):
            return [Exchange("hello", "GET", "/hello", expect={"hello": "world"})]

Under `seatrial load` the scenario sets the schedule, and one user carries all of it. Under plain `locust -f` each
user stands for `rate_rps` requests/s of Poisson arrivals, so that Locust's page and shapes change the rate.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import gevent
import orjson
from locust import User, events, task
from locust.exception import StopUser
from locust.stats import StatsEntry, StatsEntryDict, StatsError, bucket_response_time

from seatrial.observation import GeneratorHealth, Ledger
from seatrial.traffic import arrivals
from seatrial.traffic.channel import ProcessChannel
from seatrial.traffic.generator import Generator, Run
from seatrial.traffic.locust_run import FAILURE_FILE, LEDGER_FILE, RUN_FILE
from seatrial.traffic.locust_stats import entries
from seatrial.traffic.plan import ClosedLoop, Exchange, OpenLoop
from seatrial.traffic.recorder import pack
from seatrial.traffic.scenario import Scenario, read_scenario, service
from seatrial.traffic.schedule import Sized, later, schedule

_REPORT_EVERY_S = 0.5
_LEAD_S = 0.5
_HORIZON_S = 3600.0
_log = logging.getLogger(__name__)
_numbers = itertools.count(1)


class OpenLoopUser(User):
    """Subclass with `exchanges`; never instantiated by hand."""

    abstract = True
    rate_rps = 1.0
    timeout_s = 60.0
    # A method (input_size, output_size) -> Exchange: what to send for a line of a trace that has both sizes.
    sized: Sized | None = None

    def exchanges(self) -> Sequence[Exchange]:
        """The requests to draw from, and their right answers."""
        raise NotImplementedError

    @task
    def offer(self) -> None:
        """Offer this user's load until it is over or Locust stops the user."""
        try:
            self._offer(_sessions[id(self.environment)])
        except Exception as reason:  # noqa: BLE001 - Locust itself would run the task again, for ever
            _log.exception("load_failed")
            if folder := self.environment.parsed_options.seatrial_out:
                (Path(folder) / FAILURE_FILE).write_text(f"{type(reason).__name__}: {reason}", encoding="utf-8")
            self.environment.process_exit_code = 2
            gevent.spawn(self.environment.runner.quit)
        raise StopUser

    def _offer(self, session: Session) -> None:
        exchanges = tuple(self.exchanges())
        target = service(self.environment.host)
        if session.scenario is not None:
            drawn = schedule(session.scenario, target, exchanges, 0.0, self.sized)
            start_s = session.generator.now_s() + _LEAD_S
            loads = later(drawn, start_s)
            streams = [load for load in loads if isinstance(load, OpenLoop | ClosedLoop)]
            exchanges = tuple({each.case: each for load in streams for each in load.exchanges}.values())
        else:
            start_s = session.generator.now_s() + _LEAD_S
            number = next(_numbers)
            due_s = arrivals.poisson(self.rate_rps, start_s, start_s + _HORIZON_S, seed=number)
            picks = arrivals.picks(len(due_s), len(exchanges), seed=number)
            name = type(self).__name__
            loads = [OpenLoop(name, target, exchanges, due_s.tolist(), picks.tolist(), timeout_s=self.timeout_s)]
        session.follow(session.generator.start(loads), exchanges, start_s)


class Session:
    """The generator of this Locust process and the runs on it."""

    def __init__(self, environment: Any) -> None:
        options = environment.parsed_options
        self.environment = environment
        self.scenario: Scenario | None = read_scenario(Path(options.scenario)) if options.scenario else None
        self.generator = Generator(ProcessChannel(), time.monotonic())
        self.wrong = self.generator.self_test()
        self._folder = Path(options.seatrial_out) if options.seatrial_out else None
        self._wall_s = time.time() - self.generator.now_s()
        self._runs: dict[str, tuple[Run, Sequence[Exchange], float]] = {}

    def follow(self, run: Run, exchanges: Sequence[Exchange], start_s: float) -> None:
        """Report a run, whose schedule begins at start_s, to Locust's statistics as it goes; returns at its end."""
        self._runs[run.name] = (run, exchanges, start_s)
        try:
            while not self._report(run, exchanges):
                gevent.sleep(_REPORT_EVERY_S)
        except gevent.GreenletExit:
            run.stop()
            raise
        if self.scenario is not None:
            self._save(run, start_s, stopped=False)
            gevent.spawn(self._end)  # from outside of the user that is stopped by it

    def close(self) -> None:
        """End what still runs, keep what it found, and end the generator."""
        for run, exchanges, start_s in list(self._runs.values()):
            run.stop()
            while not self._report(run, exchanges):
                gevent.sleep(_REPORT_EVERY_S)
            self._save(run, start_s, stopped=True)
        self.generator.close()

    def _end(self) -> None:
        runner = self.environment.runner
        if self.environment.web_ui is None:
            runner.quit()
        else:
            runner.stop()

    def _report(self, run: Run, exchanges: Sequence[Exchange]) -> bool:
        rows, finished = run.fresh()
        if len(rows):
            report(self.environment.stats, rows, exchanges, self._wall_s)
        return finished

    def _save(self, run: Run, start_s: float, stopped: bool) -> None:
        del self._runs[run.name]
        if self._folder is None or self.scenario is None:
            return
        ledger = run.collect(timeout_s=self.scenario.timeout_s + 60)
        (self._folder / LEDGER_FILE).write_bytes(pack(ledger))
        facts = {"stopped": stopped, "start_s": start_s, "health": health_document(run.health())}
        (self._folder / RUN_FILE).write_bytes(orjson.dumps(facts))


def report(stats: Any, rows: Ledger, exchanges: Sequence[Exchange], wall_s: float) -> None:
    """Add rows to Locust's statistics, as its master adds what a worker sends."""
    found, failures = entries(rows, exchanges, wall_s, bucket_response_time)
    for entry in found:
        part = StatsEntry.unserialize(cast(StatsEntryDict, entry), stats)
        stats.entries[part.name, part.method].extend(part)
        stats.total.extend(part)
    for (method, name, kind), count in failures.items():
        key = StatsError.create_key(method, name, kind)
        stats.errors.setdefault(key, StatsError(method, name, kind)).occurrences += count


def health_document(health: GeneratorHealth) -> dict[str, Any]:
    """The generator's health as JSON."""
    return {name: getattr(health, name) for name in GeneratorHealth.__slots__}


_sessions: dict[int, Session] = {}


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _add_options(parser: Any) -> None:
    parser.add_argument(
        "--scenario", default="", include_in_web_ui=False, help="Seatrial scenario (YAML) to carry out."
    )
    parser.add_argument("--seatrial-out", default="", include_in_web_ui=False, help="Folder for the ledger of the run.")


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _on_test_start(environment: Any, **_: Any) -> None:
    _sessions[id(environment)] = Session(environment)


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def _on_test_stop(environment: Any, **_: Any) -> None:
    session = _sessions.pop(id(environment), None)
    if session is not None:
        session.close()
