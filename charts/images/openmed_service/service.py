"""All parts of one service, each an attribute that can be looked at and replaced."""

from __future__ import annotations

from pathlib import Path

from .batcher import Batcher
from .catalogue import Model, open_model
from .coalescer import Coalescer
from .drain import Drain
from .engine import Engine
from .metrics import Metrics
from .models import Models
from .probes import Probes
from .settings import Settings
from .throttle import ConcurrencyGate, RateLimit
from .weights import SOURCES, Weights


class Service:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.drain = Drain(self.metrics)
        self.probes = Probes(self.drain)
        self.rate = RateLimit(settings.rate_limit_rps, settings.rate_limit_burst, settings.throttle_key)
        self.gate = ConcurrencyGate(settings.max_concurrency, settings.concurrency_wait_s, settings.throttle_key)
        self.weights = Weights(Path(settings.cache_dir), SOURCES[settings.test.weights](), self.metrics)
        self.models = Models(
            self.open_model,
            keep_alive_s=settings.keep_alive_s,
            max_resident=settings.max_resident_models,
            extra_load_s=settings.test.load_s,
            metrics=self.metrics,
        )
        self.engine = Engine(settings.test, self.metrics)
        self.batcher = Batcher(
            self.engine,
            enabled=settings.batching,
            max_size=settings.batch_max_size,
            max_wait_s=settings.batch_max_wait_s,
            limits=settings.queue,
            metrics=self.metrics,
        )
        self.coalescer = Coalescer(settings.coalescing)

    def open_model(self, name: str) -> Model:
        return open_model(name, self.weights)

    async def preload(self) -> None:
        """Ready once every configured model is loaded. Raises UnknownModel, WeightsError or what a load ended with."""
        await self.models.preload(self.settings.preload_models)
        self.probes.preloaded = True
