"""How a load under Locust ends: because it is over, or because it cannot go on."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any

import gevent

from seatrial.errors import SeatrialError
from seatrial.loads.locust_run import FAILURE_FILE

_log = logging.getLogger(__name__)


def end_test(environment: Any) -> None:
    """The load is over: end Locust, or leave its page open."""
    if environment.web_ui is None:
        environment.runner.quit()
    else:
        environment.runner.stop()


def give_up(environment: Any, folder: Path | None, reason: Exception) -> None:
    """End Locust for a reason that whoever started it has to hear."""
    # What its author can mend says so itself; of anything else, whoever mends us needs where it was.
    trace = None if isinstance(reason, SeatrialError) else reason.__traceback__
    _log.error(str(reason) if trace is None else "load_failed", exc_info=reason if trace is not None else None)
    if folder is not None:
        with contextlib.suppress(OSError):  # the disk may be full, and the ledger says so itself
            folder.mkdir(parents=True, exist_ok=True)
            (folder / FAILURE_FILE).write_text(f"{type(reason).__name__}: {reason}", encoding="utf-8")
    environment.events.user_error.fire(user_instance=None, exception=reason, tb=trace)
    environment.process_exit_code = 2
    gevent.spawn(end_test if folder is None else _quit, environment)


def _quit(environment: Any) -> None:
    environment.runner.quit()
