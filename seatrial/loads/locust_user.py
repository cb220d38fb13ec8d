"""A Locust user whose requests are sent by Seatrial's generator, on schedule, in a process of its own.

Importing this module imports Locust, which patches the standard library for gevent: import it only from a
Locust file. gevent never touches the generator, which runs in another process (seatrial.traffic.agent).

    class Ask(OpenLoopUser):
        def exchanges(self):
            return [Exchange("hello", "GET", "/hello", expect={"hello": "world"})]

Under `seatrial load` the scenario sets the schedule, and one user carries all of it, or one of each worker its share.
Under plain `locust -f` each user stands for `rate_rps` requests/s of Poisson arrivals, so that Locust's page and shapes
change the rate.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import gevent
from flask import request
from gevent.event import Event
from locust import User, events, task
from locust.exception import StopUser
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner, WorkerRunner
from locust.stats import CSV_STATS_INTERVAL_SEC

from seatrial.errors import InputError
from seatrial.loads.locust_end import end_test, give_up
from seatrial.loads.locust_master import Master
from seatrial.loads.locust_run import NO_USER
from seatrial.loads.locust_session import LEAD_S, Session, session_folder
from seatrial.loads.locust_worker import Worker
from seatrial.loads.scenario import Scenario, service
from seatrial.loads.schedule import Sized
from seatrial.traffic import arrivals
from seatrial.traffic.plan import Exchange, OpenLoop, Target

_WINDOW_S = 120.0  # to draw and hand over longer schedules takes the generator time in which others are due
_SEEDS_OF_A_PROCESS = 2**32
_CSV_WITHIN_S = 0.5
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

    def scenario(self) -> Scenario | None:
        """What is carried out; None where Locust's own command decides."""
        session = _sessions.get(id(self.environment))
        return None if session is None else session.scenario

    @task
    def offer(self) -> None:
        """Offer this user's load until it is over or Locust stops the user."""
        session = _sessions.get(id(self.environment))
        if session is not None:  # else Locust is ending already
            if session.scenario is None:
                self._offer(session)
            else:  # Locust may take its users away from a worker: only the end of the test ends a scenario
                session.outlasting(self._offer, session)
        raise StopUser

    def _offer(self, session: Session) -> None:
        left = Event()
        try:
            exchanges = tuple(self.exchanges())
            target = service(self.environment.host)
            if session.scenario is not None:
                session.carry_out_scenario(target, exchanges, self.sized)
            else:
                self._go_on(session, target, exchanges, left)
        except gevent.GreenletExit:
            left.set()
            raise
        except Exception as reason:  # noqa: BLE001 - Locust itself would run the task again, for ever
            _give_up(self.environment, reason)

    def _go_on(self, session: Session, target: Target, exchanges: tuple[Exchange, ...], left: Event) -> None:
        """Poisson arrivals until Locust stops this user, drawn window by window: they have no memory."""
        start_s = session.generator.now_s() + LEAD_S
        while True:
            offered = session.carry_out([self._window(target, exchanges)], exchanges, start_s, left)
            start_s += _WINDOW_S
            next_s = start_s - LEAD_S
            offered.carried_out.join(timeout=max(0.0, next_s - session.generator.now_s()))
            if offered.carried_out.exception is not None:
                raise offered.carried_out.exception
            gevent.sleep(max(0.0, next_s - session.generator.now_s()))  # the last one due was answered before that

    def _window(self, target: Target, exchanges: tuple[Exchange, ...]) -> OpenLoop:
        # Users of different workers must not all ask at the same moments.
        seed = max(0, self.environment.runner.worker_index) * _SEEDS_OF_A_PROCESS + next(_numbers)
        due_s = arrivals.poisson(self.rate_rps, 0.0, _WINDOW_S, seed)
        picks = arrivals.picks(len(due_s), len(exchanges), seed)
        name = type(self).__name__
        return OpenLoop(name, target, exchanges, due_s, picks, timeout_s=self.timeout_s)


# One Locust process has one environment, but tests and libraries may make several.
_sessions: dict[int, Session] = {}
_closing: dict[int, Session] = {}
_masters: dict[int, Master] = {}
_workers: dict[int, Worker] = {}


def _give_up(environment: Any, reason: Exception) -> None:
    give_up(environment, session_folder(environment, _workers.get(id(environment))), reason)


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _add_options(parser: Any) -> None:
    parser.add_argument(
        "--scenario", default="", include_in_web_ui=False, help="Seatrial scenario (YAML) to carry out."
    )
    parser.add_argument("--seatrial-out", default="", include_in_web_ui=False, help="Folder for the ledger of the run.")
    parser.add_argument(
        "--seatrial-worker",
        type=int,
        default=0,
        include_in_web_ui=False,
        help="Number of this worker, for the name of its folder; default: the one that its master gives.",
    )


@events.init.add_listener  # type: ignore[untyped-decorator]
def _on_init(environment: Any, **_: Any) -> None:
    if isinstance(environment.runner, MasterRunner):
        _masters[id(environment)] = Master(environment)
    elif isinstance(environment.runner, WorkerRunner):
        _workers[id(environment)] = Worker(environment)
    if environment.web_ui is not None and environment.parsed_options.scenario and environment.parsed_options.autostart:
        environment.web_ui.app.before_request(lambda: _refuse_another_load(environment))


def _refuse_another_load(environment: Any) -> dict[str, Any] | None:
    """The page's START, of a load that began by itself: a second would take the place of what the first recorded."""
    if not request.path.endswith("/swarm") or environment.runner.state in (STATE_SPAWNING, STATE_RUNNING):
        return None
    return {
        "success": False,
        "host": environment.host,
        "message": "Expected no second load, because it would replace what the first one recorded. "
        "Ctrl-C in the terminal ends this page and prints the result; then give the command again.",
    }


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _on_test_start(environment: Any, **_: Any) -> None:
    if environment.parsed_options.scenario and not any(
        issubclass(kind, OpenLoopUser) for kind in environment.user_classes
    ):
        _give_up(environment, InputError(NO_USER))  # others would go on without an end
        return
    if ended := _closing.get(id(environment)):
        ended.mute()
    try:
        if master := _masters.get(id(environment)):
            if environment.parsed_options.scenario:
                master.begin()
        else:
            _sessions[id(environment)] = Session(environment, _workers.get(id(environment)))
    except Exception as reason:  # noqa: BLE001 - Locust would go on without a load
        _give_up(environment, reason)


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def _on_test_stop(environment: Any, **_: Any) -> None:
    if master := _masters.get(id(environment)):
        master.end()
        _let_csv_be_written(environment)
        if environment.web_ui is None:
            # Where it heard no worker for 4 s, Locust stops a test without a page, and then waits for ever.
            gevent.spawn(end_test, environment)
    if session := _sessions.get(id(environment)):
        _closing[id(environment)] = session
        try:
            session.close()
        finally:
            if _sessions.get(id(environment)) is session:
                del _sessions[id(environment)]
            if _closing.get(id(environment)) is session:
                del _closing[id(environment)]
        _let_csv_be_written(environment)


def _let_csv_be_written(environment: Any) -> None:
    """Locust writes its CSV files every second, and not once more at its end: it gets the time for the last rows."""
    if environment.parsed_options.csv_prefix:
        gevent.sleep(CSV_STATS_INTERVAL_SEC + _CSV_WITHIN_S)
