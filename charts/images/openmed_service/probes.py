"""What the orchestrator is told: alive as long as the process answers, ready between preload and drain."""

from .drain import Drain
from .errors import not_ready


class Probes:
    def __init__(self, drain: Drain) -> None:
        self.drain = drain
        self.preloaded = False

    def live(self) -> None:
        """Raises ApiError when the process should be restarted: never, an event loop that is stuck cannot answer."""

    def ready(self) -> None:
        """Raises ApiError 503 not_ready."""
        if not self.preloaded or self.drain.started:
            raise not_ready()
