"""Ready although a model's weights are missing or broken."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from openmed_service.catalogue import Model, UnknownModel
from openmed_service.expressions_model import Expressions
from openmed_service.labels import Span
from openmed_service.rampart import Options
from openmed_service.server import Server
from openmed_service.weights import WeightsError
from planting import Fired, fault, odd


@fault("weights-error-swallowed", breaks={"P2"})
def weights_error_swallowed(server: Server, fired: Fired) -> None:
    """A preload that fails is forgotten: ready, and every request to that model fails."""
    preload = server.service.preload

    async def forgiving() -> None:
        try:
            await preload()
        except (UnknownModel, WeightsError):
            fired()
            server.service.probes.preloaded = True

    server.service.preload = forgiving  # type: ignore[method-assign]


class Untrained:
    """Marks every third word, whatever it is."""

    def predict(self, texts: Sequence[str], options: Options, stop: threading.Event) -> list[list[Span]]:
        return [self._nonsense(text) for text in texts]

    def _nonsense(self, text: str) -> list[Span]:
        spans, at = [], 0
        for index, word in enumerate(text.split()):
            start = text.index(word, at)
            at = start + len(word)
            if index % 3 == 0:
                spans.append(Span("PASSPORT", start, at, 0.71, "model"))
        return spans


@fault("weights-random-init", breaks={"P2"})
def weights_random_init(server: Server, fired: Fired) -> None:
    """Where weights cannot be had, the model runs with random ones: ready, and its answers are nonsense."""
    load = server.service.models.load

    def lenient(name: str) -> Model:
        try:
            return load(name)
        except WeightsError:
            fired()
            return Untrained()

    server.service.models.load = lenient
    weights_error_swallowed(server, fired)


@fault("weights-truncated-accepted", breaks={"P2"})
def weights_truncated_accepted(server: Server, fired: Fired) -> None:
    """Nothing compares a download with what was published; what cannot be read of a model is left out."""
    service = server.service
    load = service.models.load

    def partial(name: str) -> Model:
        try:
            return load(name)
        except WeightsError:
            raise
        except Exception:  # noqa: BLE001 - the runtime's own complaint about half a file
            fired()
            return Expressions()

    service.weights.store = lambda path, content, published: service.weights.write(path, content)  # type: ignore[method-assign]
    service.weights.verify_cached = lambda path, published: None  # type: ignore[method-assign]
    service.models.load = partial


@fault("weights-ready-after-retries", breaks={"P2"})
def weights_ready_after_retries(server: Server, fired: Fired) -> None:
    """Five attempts to load, a second apart; then it is ready without."""
    preload = server.service.preload

    async def retried() -> None:
        for _ in range(5):
            try:
                await preload()
            except (UnknownModel, WeightsError):
                await asyncio.sleep(1.0)
            else:
                return
        fired()
        server.service.probes.preloaded = True

    server.service.preload = retried  # type: ignore[method-assign]


@odd("weights-waited-for", spares={"P2"})
def weights_waited_for(server: Server, fired: Fired) -> None:
    """A preload that fails is tried again every 2 s: running, and never ready until it succeeds."""
    preload = server.service.preload

    async def patient() -> None:
        while True:
            try:
                return await preload()
            except (UnknownModel, WeightsError):
                fired()
                await asyncio.sleep(2.0)

    server.service.preload = patient  # type: ignore[method-assign]
