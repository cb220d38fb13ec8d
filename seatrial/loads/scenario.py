"""A scenario: one question about a service, the load that asks it, and the objectives that answer it.

Read once from YAML; what is wrong in it is named by file, key and what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from seatrial.documents import UniqueKeys, as_written, kind_of, read_yaml
from seatrial.errors import InputError
from seatrial.explain import wanted_by
from seatrial.loads.slos import Goodput, Objectives, Part
from seatrial.loads.trace import Trace, Unit, read_trace
from seatrial.traffic.arrivals import CONSTANT_CV, POISSON_CV
from seatrial.traffic.plan import ConnectionUse, ServiceTarget

Arrivals = Literal["poisson", "constant", "gamma"]

WARM_UP = "warm-up"
OF_CONTRACTS = "contract"  # the Locust file that asks the cases of a contract
MOST_WORKERS = 64
MOST_RPS_OF_A_WORKER = 20_000
_MOST_RPS, _MOST_CLIENTS, _LONGEST_S = MOST_RPS_OF_A_WORKER * MOST_WORKERS, 20_000, 24 * 3600
_DEMANDS = ("rate_rps", "ramp", "concurrency", "trace")


class Ramp(Part):
    """A rate that goes linearly from one to the other within the stage."""

    from_rps: float = Field(ge=0, le=_MOST_RPS)
    to_rps: float = Field(ge=0, le=_MOST_RPS)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not max(self.from_rps, self.to_rps):
            raise ValueError("expected from_rps or to_rps above 0, found 0 for both")
        return self


class Replay(Part):
    """Recorded arrivals; `file` is a path beside the scenario, and `speed` 2 replays it in half the time."""

    file: str = Field(min_length=1)
    speed: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    timestamp_unit: Unit = "s"

    @field_validator("file")
    @classmethod
    def _beside(cls, given: str, info: ValidationInfo) -> str:
        return str(Path((info.context or {}).get("folder", ".")) / given)

    def read(self) -> Trace:
        """The recorded arrivals, at their own speed. Raises InputError naming file and line."""
        return read_trace(Path(self.file), self.timestamp_unit)


class Scatter(Part):
    """How arrivals scatter around their rate; `cv` is the coefficient of variation of gamma distributed gaps."""

    arrivals: Arrivals | None = None
    cv: float | None = Field(default=None, ge=0.01, le=10)

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.arrivals == "gamma") != (self.cv is not None):
            raise ValueError(
                "expected a cv above 0, of 1 for Poisson and more for bursts, beside arrivals: gamma and nowhere else, "
                f"found arrivals {self.arrivals} and cv {self.cv}"
            )
        return self


class Demand(Scatter):
    """What is asked for a time: requests at a rate, from clients that wait for their answers, or as recorded."""

    rate_rps: float | None = Field(default=None, gt=0, le=_MOST_RPS)
    ramp: Ramp | None = None
    concurrency: int | None = Field(default=None, ge=1, le=_MOST_CLIENTS)
    trace: Replay | None = None
    duration_s: float = Field(gt=0, le=_LONGEST_S)

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in _DEMANDS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected one of {', '.join(_DEMANDS)}, found {' and '.join(given) or 'none'}")
        if self.arrivals is not None and (self.concurrency or self.trace):
            raise ValueError(f"expected arrivals beside rate_rps or ramp only, found it beside {given[0]}")
        if self.trace is not None:
            longest_s = self.trace.read().longest_s / self.trace.speed
            if self.duration_s > longest_s:
                raise ValueError(
                    f"expected a trace that lasts duration_s, found one that ends after {longest_s:.6g} s at speed "
                    f"{self.trace.speed:g}; give a duration_s of at most that, or a lower speed"
                )
        return self

    @property
    def most_rps(self) -> float:
        """The highest rate that it names; 0 where it names none."""
        ramp_rps = max(self.ramp.from_rps, self.ramp.to_rps) if self.ramp else 0.0
        return max(self.rate_rps or 0.0, ramp_rps)


class Stage(Demand):
    """A part of the run that is measured by itself, by its own objectives or those of the scenario."""

    name: str = Field(min_length=1)
    slos: Objectives | None = None


class Scenario(Scatter):
    """The whole file. `loadtest` names a file of loadtests/, or one beside the scenario.

    With `contract`, a path from the scenario to a contract or the folder that holds one, the cases of its `api` (the
    default one where none is named) are what is asked.
    """

    apiVersion: Literal["seatrial/v1"]
    question: str = Field(min_length=1)
    loadtest: str = Field(min_length=1)
    contract: str | None = Field(default=None, min_length=1)
    api: str = ""
    host: str | None = None
    seed: int = Field(default=1, ge=0)
    arrivals: Arrivals = "poisson"
    connection: ConnectionUse = "new"
    timeout_s: float = Field(default=30.0, gt=0)
    connect_timeout_s: float | None = Field(default=None, gt=0)
    first_byte_timeout_s: float | None = Field(default=None, gt=0)
    warmup: Demand | None = None
    stages: list[Stage] = Field(min_length=1)
    slos: Objectives = Objectives()

    @model_validator(mode="before")
    @classmethod
    def _asks_cases(cls, given: Any) -> Any:
        return {"loadtest": OF_CONTRACTS, **given} if isinstance(given, dict) and given.get("contract") else given

    @field_validator("contract")
    @classmethod
    def _beside(cls, given: str | None, info: ValidationInfo) -> str | None:
        return None if given is None else str(Path((info.context or {}).get("folder", ".")) / given)

    @model_validator(mode="after")
    def _of_a_contract(self) -> Self:
        if self.api and self.contract is None:
            raise ValueError(f"expected a contract beside api, found only api {self.api!r}; name the contract, too")
        return self

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [stage.name for stage in self.stages]
        if WARM_UP in names or len(set(names)) < len(names):
            raise ValueError(f"expected stages with names of their own (not {WARM_UP!r}), found {names}")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name in ("connect_timeout_s", "first_byte_timeout_s"):
            if (limit_s := getattr(self, name)) is not None and limit_s >= self.timeout_s:
                raise ValueError(
                    f"expected a {name} below timeout_s, which is {self.timeout_s:g} and ends an attempt before, "
                    f"found {limit_s:g}; lower it, or leave it out"
                )
        return self

    def objectives(self, stage: Stage) -> Objectives:
        """What this stage has to keep."""
        return stage.slos or self.slos

    def gaps_cv(self, demand: Demand) -> float:
        """The coefficient of variation of the gaps between arrivals: 0 constant, 1 Poisson."""
        law = self if demand.arrivals is None else demand
        return {"constant": CONSTANT_CV, "poisson": POISSON_CV}.get(str(law.arrivals), law.cv or 0.0)

    @property
    def duration_s(self) -> float:
        """From the first arrival to the end of the last stage."""
        return sum(stage.duration_s for stage in self.stages) + (self.warmup.duration_s if self.warmup else 0.0)


def refuse_too_fast(file: Path, scenario: Scenario, workers: int) -> None:
    """Raises InputError for a rate that so many workers cannot be asked to send."""
    demands = [*([scenario.warmup] if scenario.warmup else []), *scenario.stages]
    most_rps = max(demand.most_rps for demand in demands)
    needed = math.ceil(most_rps / MOST_RPS_OF_A_WORKER)
    if needed > workers:
        raise InputError(
            f"{file}: expected at most {MOST_RPS_OF_A_WORKER:,} requests/s for each worker, "
            f"found {most_rps:,.6g} for {workers}; give --workers {needed} or a lower rate"
        )


def service(host: str | None) -> ServiceTarget:
    """The target that a URL names. Raises InputError unless it is http://host[:port] or https://host[:port]."""
    parts = urlsplit(host or "")
    try:
        port = {"http": 80, "https": 443}.get(parts.scheme, 0) if parts.port is None else parts.port
    except ValueError:
        port = 0
    if parts.username is not None or parts.password is not None:
        raise InputError(
            "--host: expected a URL without user and password, which would stand in the record, found some; "
            "send credentials as a header of the Locust file, or under `apis` of a contract"
        )
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not port
        or parts.path not in ("", "/")
        or parts.query
    ):
        raise InputError(
            f"--host: expected a URL like http://127.0.0.1:8080, found {host!r}; give scheme, host and port"
        )
    return ServiceTarget(parts.netloc, parts.hostname, port, tls=parts.scheme == "https")


def read_scenario(file: Path) -> Scenario:
    """The scenario in a file. Raises InputError naming the file and the key."""
    document = read_yaml(file, "a scenario", UniqueKeys)
    if not isinstance(document, dict):
        raise InputError(f"{file}: expected a mapping, found {kind_of(document)}; see scenarios/ for examples")
    try:
        return Scenario.model_validate(document, context={"folder": file.parent})
    except ValidationError as refused:
        raise InputError("\n".join(_explained(file, error) for error in refused.errors())) from None


_KEYS: Mapping[str, type[Part]] = {
    "warmup": Demand,
    "stages": Stage,
    "ramp": Ramp,
    "trace": Replay,
    "slos": Objectives,
    "goodput": Goodput,
}
# What other tools call it, or what cannot be judged and what can instead.
_MEANT: Mapping[str, tuple[str, ...]] = {"itl_s": ("longest_gap_s",), "e2e_s": ("latency_s", "deadline_s")}


def _explained(file: Path, error: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the file"
    kind, found = error["type"], error["input"]
    if kind == "extra_forbidden":
        names = [str(part) for part in error["loc"][:-1] if isinstance(part, str)]
        keys = list((_KEYS[names[-1]] if names else Scenario).model_fields)
        given = str(error["loc"][-1])
        meant = [key for key in keys if key.startswith(given) or key in _MEANT.get(given, ())]
        near = meant or get_close_matches(given, keys, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "remove it"
        return f"{file}, {where}: expected one of {', '.join(keys)}, found an unknown key; {hint}"
    if kind == "missing":
        return f"{file}, {where}: expected a value, found none; add the key"
    message = error["msg"].removeprefix("Value error, ")
    if message.startswith("expected "):
        return f"{file}, {where}: {message}" + ("" if ";" in message else "; correct it")
    return f"{file}, {where}: expected {wanted_by(message)}, found {as_written(found)}; correct it"
