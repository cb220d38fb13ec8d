"""Everything the environment may set, read once at start; a value that cannot be used ends the process."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from .durations import parse_keep_alive
from .logs import log

T = TypeVar("T")
N = TypeVar("N", int, float)

TIMEOUT_S = {"dev": 600.0, "prod": 300.0, "test": 60.0, "fast": 120.0}
DEFAULT_MAX_TEXT_LENGTH = 1_000_000
_WORDS = dict.fromkeys(("true", "1", "yes", "on"), True) | dict.fromkeys(("false", "0", "no", "off"), False)
KEY_ALIASES = {
    "global": "global",
    "process": "global",
    "x-forwarded-for": "x-forwarded-for",
    "xff": "x-forwarded-for",
    "client": "peer",
    "remote": "peer",
    "peer": "peer",
}


class SettingError(Exception):
    """A variable holds what the service cannot use; its message names the variable, never a secret's value."""

    def __init__(self, variable: str, expected: str, found: str) -> None:
        super().__init__(f"{variable}: expected {expected}, found {found!r}")
        self.variable = variable


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much work may wait for the engine when batching is on."""

    capacity: int
    high_watermark: int  # at this depth new work is refused ...
    low_watermark: int  # ... until the depth has fallen to this
    max_wait_s: float


@dataclass(frozen=True, slots=True)
class TestSwitches:
    """Ways for a trial to make the real service slow or failing on purpose; all off by default."""

    load_s: float  # extra time to load one model
    run_s: float  # extra time per run of a model, without CPU; a batch is one run
    burn_s: float  # extra CPU time per run of a model
    fail_marker: str  # a text that contains it fails alone; empty: off
    slow_marker: str  # `[[<marker> <seconds>]]` in a text adds that time to its run; empty: off
    weights: str  # what the place that models come from offers: intact, missing, truncated

    __test__ = False  # not a test class, whatever pytest thinks of its name


@dataclass(frozen=True, slots=True)
class Settings:
    host: str
    port: int
    profile: str
    cache_dir: str
    preload_models: tuple[str, ...]
    max_resident_models: int | None
    keep_alive_s: float  # math.inf: never unloaded
    max_text_length: int
    cors_origins: tuple[str, ...]
    trusted_hosts: tuple[str, ...]
    batching: bool
    batch_max_size: int
    batch_max_wait_s: float
    queue: QueueLimits
    coalescing: bool
    shutdown_drain_s: float
    metrics: bool
    rate_limit_rps: float
    rate_limit_burst: float
    max_concurrency: int
    concurrency_wait_s: float
    throttle_key: str
    test: TestSwitches

    @property
    def timeout_s(self) -> float:
        return TIMEOUT_S[self.profile]


class Environment:
    """Typed reading of variables; every refusal names the variable."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str, default: str) -> str:
        return self._values.get(name, default).strip()

    def _parsed(self, name: str, default: str, expected: str, parse: Callable[[str], T]) -> T:
        raw = self.text(name, default)
        try:
            return parse(raw)
        except (ValueError, KeyError):
            raise SettingError(name, expected, raw) from None

    def flag(self, name: str) -> bool:
        return self._parsed(name, "false", "true or false", lambda raw: _WORDS[raw.lower()])

    def choice(self, name: str, default: str, choices: Mapping[str, str]) -> str:
        return self._parsed(name, default, " or ".join(choices), lambda raw: choices[raw.lower()])

    def whole(self, name: str, default: int, low: int, high: int | None = None) -> int:
        span = f"a whole number from {low}" + (f" to {high}" if high is not None else " up")
        return self._parsed(name, str(default), span, lambda raw: _within(int(raw), low, high))

    def number(self, name: str, default: float) -> float:
        return self._parsed(name, str(default), "a number from 0 up", lambda raw: _within(float(raw), 0.0, None))

    def duration(self, name: str, default: str) -> float:
        return self._parsed(name, default, "seconds, a duration such as 1h30m, or off", parse_keep_alive)

    def names(self, name: str, default: str = "") -> tuple[str, ...]:
        """The parts between commas, blanks and repeats dropped, order kept."""
        parts = (part.strip() for part in self.text(name, default).split(","))
        return tuple(dict.fromkeys(part for part in parts if part))


def _within(value: N, low: N, high: N | None) -> N:
    if not math.isfinite(value) or value < low or (high is not None and value > high):
        raise ValueError(value)
    return value


def read_settings(values: Mapping[str, str]) -> Settings:
    """Settings from environment variables. Raises SettingError for the first one that cannot be used."""
    env = Environment(values)
    prefix = "OPENMED_SERVICE_"
    return Settings(
        host=env.text(prefix + "HOST", "0.0.0.0"),
        port=env.whole(prefix + "PORT", 8080, 0, 65535),
        profile=env.choice("OPENMED_PROFILE", "prod", {name: name for name in TIMEOUT_S}),
        cache_dir=env.text("OPENMED_CACHE_DIR", "/root/.cache/huggingface/openmed"),
        preload_models=env.names(prefix + "PRELOAD_MODELS"),
        max_resident_models=_max_resident(env, prefix + "MAX_RESIDENT_MODELS"),
        keep_alive_s=env.duration(prefix + "KEEP_ALIVE", "10m"),
        max_text_length=_max_text_length(env, prefix + "MAX_TEXT_LENGTH"),
        cors_origins=_origins(env, prefix + "CORS_ORIGINS"),
        trusted_hosts=_hosts(env, prefix + "TRUSTED_HOSTS"),
        batching=env.flag(prefix + "BATCHING_ENABLED"),
        batch_max_size=env.whole(prefix + "BATCH_MAX_SIZE", 8, 1, 100),
        batch_max_wait_s=env.number(prefix + "BATCH_MAX_WAIT_MS", 5) / 1000,
        queue=QueueLimits(
            capacity=env.whole(prefix + "BATCH_MAX_QUEUE_SIZE", 256, 1),
            high_watermark=env.whole(prefix + "BATCH_HIGH_WATERMARK", 256, 1),
            low_watermark=env.whole(prefix + "BATCH_LOW_WATERMARK", 128, 0),
            max_wait_s=env.number(prefix + "BATCH_MAX_QUEUE_WAIT_MS", 1000) / 1000,
        ),
        coalescing=env.flag(prefix + "COALESCING_ENABLED"),
        shutdown_drain_s=env.number(prefix + "SHUTDOWN_DRAIN_SECONDS", 30),
        metrics=env.flag(prefix + "METRICS_ENABLED"),
        rate_limit_rps=env.number(prefix + "RATE_LIMIT_RPS", 0),
        rate_limit_burst=env.number(prefix + "RATE_LIMIT_BURST", 0),
        max_concurrency=env.whole(prefix + "RATE_LIMIT_MAX_CONCURRENCY", 0, 0),
        concurrency_wait_s=env.number(prefix + "CONCURRENCY_WAIT_SECONDS", 0.05),
        throttle_key=env.choice(prefix + "THROTTLE_KEY", "global", KEY_ALIASES),
        test=TestSwitches(
            load_s=env.number("OPENMED_TEST_LOAD_SECONDS", 0),
            run_s=env.number("OPENMED_TEST_RUN_SECONDS", 0),
            burn_s=env.number("OPENMED_TEST_BURN_SECONDS", 0),
            fail_marker=env.text("OPENMED_TEST_FAIL_MARKER", ""),
            slow_marker=env.text("OPENMED_TEST_SLOW_MARKER", ""),
            weights=env.choice(
                "OPENMED_TEST_WEIGHTS", "intact", {name: name for name in ("intact", "missing", "truncated")}
            ),
        ),
    )


def _max_resident(env: Environment, name: str) -> int | None:
    return env.whole(name, 1, 1) if env.text(name, "") else None


def _max_text_length(env: Environment, name: str) -> int:
    """The one setting that falls back: a service that refuses to start over it would protect nobody."""
    try:
        return env.whole(name, DEFAULT_MAX_TEXT_LENGTH, 1)
    except SettingError as error:
        log("setting_replaced", variable=name, used=DEFAULT_MAX_TEXT_LENGTH, reason=str(error))
        return DEFAULT_MAX_TEXT_LENGTH


def _origins(env: Environment, name: str) -> tuple[str, ...]:
    origins = env.names(name)
    for origin in origins:
        if "*" in origin or "://" not in origin:
            raise SettingError(name, "exact origins such as https://app.example.com", origin)
    return origins


def _hosts(env: Environment, name: str) -> tuple[str, ...]:
    hosts = env.names(name, "localhost,127.0.0.1,[::1]")
    for host in hosts:
        if "*" in host and not (host.startswith("*.") and "*" not in host[1:] and len(host) > 2):
            raise SettingError(name, "host names, or *.domain for its subdomains", host)
    return tuple(host.lower() for host in hosts)
