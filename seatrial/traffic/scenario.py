"""A scenario: one question about a service, the load that asks it, and the objectives that answer it.

Read once from YAML; what is wrong in it is named by file, key and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from seatrial.documents import UniqueKeys, read_yaml
from seatrial.errors import InputError
from seatrial.traffic import arrivals
from seatrial.traffic.plan import Exchange, OpenLoop, ServiceTarget, Target

WARM_UP = "warm-up"
_MOST_RPS, _LONGEST_S = 20_000, 24 * 3600
_PERCENTILE = re.compile(r"p(\d{1,2}(\.\d+)?)")


class Part(BaseModel):
    """A mapping of the file; keys that mean nothing are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Goodput(Part):
    """Requests that get their right answer within `deadline_s` of being due: at least this share of them."""

    deadline_s: float = Field(gt=0)
    at_least_ratio: float = Field(gt=0, lt=1)


class Objectives(Part):
    """Service-level objectives (SLOs) of a stage; what is not given is not judged.

    `latency_s` maps a percentile (p50, p99.9) to the most it may be; a request without a right answer counts as
    one that never ended. `error_ratio` is the most that may be without a right answer; 0 allows none at all.
    """

    latency_s: dict[str, float] = Field(default_factory=dict)
    error_ratio: float | None = Field(default=None, ge=0, lt=1)
    goodput: Goodput | None = None

    @field_validator("latency_s")
    @classmethod
    def _percentiles(cls, given: dict[str, float]) -> dict[str, float]:
        for name, limit_s in given.items():
            if not _PERCENTILE.fullmatch(name) or not 0 < percentile(name) < 100:
                raise ValueError(f"expected percentiles like p50, p99 or p99.9, found {name!r}")
            if limit_s <= 0:
                raise ValueError(f"expected seconds above 0 for {name}, found {limit_s}")
        return given


class Rate(Part):
    """Requests at a rate, for a time."""

    rate_rps: float = Field(gt=0, le=_MOST_RPS)
    duration_s: float = Field(gt=0, le=_LONGEST_S)


class Stage(Rate):
    """A part of the run that is measured by itself, by its own objectives or those of the scenario."""

    name: str = Field(min_length=1)
    slos: Objectives | None = None


class Scenario(Part):
    """The whole file. `loadtest` names a file of loadtests/, or one beside the scenario."""

    apiVersion: Literal["seatrial/v1"]
    question: str = Field(min_length=1)
    loadtest: str = Field(min_length=1)
    host: str | None = None
    seed: int = Field(default=1, ge=0)
    arrivals: Literal["poisson", "constant"] = "poisson"
    connection: Literal["new", "keep-alive"] = "new"
    timeout_s: float = Field(default=30.0, gt=0)
    warmup: Rate | None = None
    stages: list[Stage] = Field(min_length=1)
    slos: Objectives = Objectives()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [stage.name for stage in self.stages]
        if WARM_UP in names or len(set(names)) < len(names):
            raise ValueError(f"expected stages with names of their own (not {WARM_UP!r}), found {names}")
        return self

    def objectives(self, stage: Stage) -> Objectives:
        """What this stage has to keep."""
        return stage.slos or self.slos

    @property
    def duration_s(self) -> float:
        """From the first arrival to the end of the last stage."""
        return sum(stage.duration_s for stage in self.stages) + (self.warmup.duration_s if self.warmup else 0.0)


def percentile(name: str) -> float:
    """99.9 for p99.9."""
    return float(name[1:])


def schedule(scenario: Scenario, target: Target, exchanges: Sequence[Exchange], start_s: float) -> list[OpenLoop]:
    """The scenario's loads, one stream a stage, drawn from its seed; the first arrival is due from start_s on."""
    parts: list[tuple[str, Rate]] = [(WARM_UP, scenario.warmup)] if scenario.warmup else []
    parts += [(stage.name, stage) for stage in scenario.stages]
    loads = []
    for number, (name, rate) in enumerate(parts):
        end_s = start_s + rate.duration_s
        seed = scenario.seed * 1000 + number
        if scenario.arrivals == "poisson":
            due_s = arrivals.poisson(rate.rate_rps, start_s, end_s, seed)
        else:
            due_s = arrivals.constant(rate.rate_rps, start_s, end_s)
        loads.append(
            OpenLoop(
                name,
                target,
                tuple(exchanges),
                due_s.tolist(),
                arrivals.picks(len(due_s), len(exchanges), seed).tolist(),
                timeout_s=scenario.timeout_s,
                connection=scenario.connection,
            )
        )
        start_s = end_s
    return loads


def service(host: str | None) -> ServiceTarget:
    """The target that a URL names. Raises InputError unless it is http://host[:port]."""
    parts = urlsplit(host or "")
    try:
        port = 80 if parts.port is None else parts.port
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port or parts.path not in ("", "/") or parts.query:
        raise InputError(
            f"--host: expected a URL like http://127.0.0.1:8080, found {host!r}; give scheme, host and port"
        )
    return ServiceTarget(parts.netloc, parts.hostname, port)


def read_scenario(file: Path) -> Scenario:
    """The scenario in a file. Raises InputError naming the file and the key."""
    document = read_yaml(file, "a scenario", UniqueKeys)
    if not isinstance(document, dict):
        raise InputError(f"{file}: expected a mapping, found {type(document).__name__}; see scenarios/ for examples")
    try:
        return Scenario.model_validate(document)
    except ValidationError as refused:
        raise InputError("\n".join(_explained(file, error) for error in refused.errors())) from None


_KEYS: Mapping[str, type[Part]] = {"warmup": Rate, "stages": Stage, "slos": Objectives, "goodput": Goodput}


def _explained(file: Path, error: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the file"
    kind, found = error["type"], error["input"]
    if kind == "extra_forbidden":
        names = [str(part) for part in error["loc"][:-1] if isinstance(part, str)]
        keys = list((_KEYS[names[-1]] if names else Scenario).model_fields)
        near = get_close_matches(str(error["loc"][-1]), keys, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "remove it"
        return f"{file}, {where}: expected one of {', '.join(keys)}, found an unknown key; {hint}"
    if kind == "missing":
        return f"{file}, {where}: expected a value, found none; add the key"
    message = error["msg"].removeprefix("Value error, ")
    if message.startswith("expected "):
        return f"{file}, {where}: {message}; correct it"
    message = message.removeprefix("Input should be ").removeprefix("a valid ")
    return f"{file}, {where}: expected {message}, found {found!r}; correct it"
