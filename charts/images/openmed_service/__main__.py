"""`python -m openmed_service`: settings from the environment, exit codes as in server.py."""

import asyncio
import os
import signal
import sys
from types import FrameType


def stop_before_serving(number: int, frame: FrameType | None) -> None:
    """Nothing is owed to anyone yet. Without this, process 1 of a container would not even hear SIGTERM."""
    raise SystemExit(0)


def main() -> int:
    signal.signal(signal.SIGTERM, stop_before_serving)
    from .logs import capture_library_logs, log
    from .server import BAD_SETTING, CUT_OFF, Server
    from .settings import SettingError, read_settings

    capture_library_logs()
    try:
        settings = read_settings(os.environ)
    except SettingError as error:
        log("setting_invalid", variable=error.variable, error=str(error))
        return BAD_SETTING
    if settings.rate_limit_rps > 0 and settings.rate_limit_burst < 1:
        log("rate_limit_off", reason="OPENMED_SERVICE_RATE_LIMIT_RPS is set, OPENMED_SERVICE_RATE_LIMIT_BURST is not")
    server = Server(settings)
    if any(os.environ.get(name) for name in ("SEATRIAL_FAULT", "SEATRIAL_ODD")):
        from planting import UnknownFault, arm_from_environment

        try:
            arm_from_environment(os.environ, server)
        except UnknownFault as error:
            log("setting_invalid", error=str(error))
            return BAD_SETTING
    try:
        listening = server.bind()
    except OSError as error:
        log("listen_failed", host=settings.host, port=settings.port, error=str(error))
        return CUT_OFF
    with asyncio.Runner(loop_factory=_loop) as runner:
        code = runner.run(server.run(listening))
        # Not after the runner has closed: work that was cut off may hold a thread for as long as it likes.
        sys.stdout.flush()
        os._exit(code)


def _loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


if __name__ == "__main__":
    sys.exit(main())
