"""One JSON line per event on standard output; a constant event name, fields beside it.

Never a request's text and never an entity: what arrives here is what people wanted hidden.
"""

import json
import logging
import sys
from datetime import UTC, datetime


def log(event: str, **fields: object) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    sys.stdout.write(json.dumps({"ts": now, "event": event, **fields}, default=str) + "\n")
    sys.stdout.flush()


class JsonHandler(logging.Handler):
    """Warnings of libraries, as events. Tracebacks stay out: they can quote a request."""

    def emit(self, record: logging.LogRecord) -> None:
        fields = {"level": record.levelname.lower(), "logger": record.name, "message": record.getMessage().strip()}
        if record.exc_info and record.exc_info[0]:
            fields["error_type"] = record.exc_info[0].__name__
        log("library_message", **fields)


def capture_library_logs() -> None:
    logging.basicConfig(level=logging.WARNING, handlers=[JsonHandler()], force=True)
