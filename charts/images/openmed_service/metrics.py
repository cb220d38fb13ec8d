"""What is counted; labels never carry text, entities or who asked."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_DURATION_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64)

disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """One registry per service, so that tests can run two beside each other."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        prefix = "openmed_service_"
        at = self.registry
        self.requests = Counter(prefix + "request_total", "Answers given", ["route", "status_code"], registry=at)
        self.duration_s = Histogram(
            prefix + "request_duration_seconds", "Time to answer", ["route"], buckets=_DURATION_BUCKETS_S, registry=at
        )
        self.inflight = Gauge(prefix + "inflight_requests", "Model-backed requests being worked on", registry=at)
        self.model_loads = Counter(prefix + "model_load_total", "Models loaded", registry=at)
        self.model_evictions = Counter(prefix + "model_eviction_total", "Models unloaded to make room", registry=at)
        self.model_runs = Counter(prefix + "model_runs_total", "Backend calls; a batch is one", ["route"], registry=at)
        self.model_cache = Counter(
            prefix + "model_cache_total", "Model files found in the cache", ["result"], registry=at
        )
        self.batch_size = Histogram(
            prefix + "batch_size", "Requests per backend call", ["route"], buckets=_SIZE_BUCKETS, registry=at
        )
        self.queue_depth = Gauge(prefix + "batch_queue_depth", "Requests whose batch has not begun", registry=at)
        self.queue_shed = Counter(prefix + "batch_shed_total", "Requests refused by the batch queue", registry=at)
        for result in ("hit", "miss"):
            self.model_cache.labels(result)
        for route in ("/analyze", "/pii/extract", "/pii/deidentify"):
            self.model_runs.labels(route)
            self.batch_size.labels(route)

    def exposition(self) -> bytes:
        return generate_latest(self.registry)
