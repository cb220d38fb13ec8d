"""What one service promises: `contract.yaml` beside its chart, read once and then frozen.

A promise that is not made is not checked. A number that a Helm value governs is written
`{value: dotted.path, set: X}`: the trial installs with X there, and the chart must have the path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from seatrial.documents import UniqueKeys, read_yaml
from seatrial.errors import InputError
from seatrial.explain import explained

Seconds = Annotated[float, Field(gt=0)]
Json = Any


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Governed(_Model):
    """A promised number and the Helm value that governs it."""

    value: str
    set: bool | int | float | str

    def __float__(self) -> float:
        return float(self.set)

    @field_validator("set")
    @classmethod
    def _is_a_number(cls, given: bool | int | float | str) -> bool | int | float | str:
        try:
            number = float(given)
        except ValueError:
            number = -1.0
        if not 0 <= number < float("inf"):
            raise ValueError(f"expected a number of 0 or more, found {given!r}; give the number promised")
        return given


def _above_zero(number: float | Governed) -> float | Governed:
    if float(number) <= 0:
        raise ValueError(f"expected more than 0, found {float(number):g}; remove the promise if none is made")
    return number


Number = Annotated[float, Field(ge=0, allow_inf_nan=False)] | Governed
Positive = Annotated[Number, AfterValidator(_above_zero)]


class Case(_Model):
    """A request with a known right answer: the answer contains `expect` (a JSON subset)."""

    request: Json
    expect: Json
    name: str = ""


class LongCase(_Model):
    """A case whose work takes a chosen time: `{seconds}` in any string of request and answer stands for it."""

    request: Json
    expect: Json
    seconds: Seconds = 4.0


class Pattern(_Model):
    """Cases that differ in a number only: `{i}` in the texts of request and answer, from 0 to count - 1."""

    request: Json
    expect: Json
    count: Annotated[int, Field(ge=1, le=1000)] = 64


class Inference(_Model):
    """How a case is asked and judged. In the file, `cases` may also be a pattern, or the name of a YAML file."""

    path: str
    method: Literal["POST", "GET", "PUT"] = "POST"
    headers: dict[str, str] = {}
    deadline_s: Seconds | None = None
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    cases: tuple[Case, ...]
    long: LongCase | None = None


class Probes(_Model):
    """Probes that the pods carry: the Helm value that governs each, or true where the chart fixes it."""

    readiness: str | bool = False
    liveness: str | bool = False
    readiness_sheds_load: bool = False

    @model_validator(mode="after")
    def _sheds_by_a_probe(self) -> Probes:
        if self.readiness_sheds_load and not self.readiness:
            raise ValueError(
                "expected readiness beside readiness_sheds_load, found none; promise the probe, too, "
                "or remove readiness_sheds_load"
            )
        return self


class Reject(_Model):
    """How a refused request is answered."""

    status: int
    body: Json = None
    retry_after: bool = False


class Drain(_Model):
    """What a pod that is told to stop does with the work it has."""

    budget_s: Number
    grace_s: Governed | None = None
    propagation_s: Seconds = 3.0
    sign_log: str = ""
    exit_codes: tuple[int, ...] = (0, 143)
    values: dict[str, Any] = {}


class RateLimit(_Model):
    """A token bucket: sustained rate and burst of one replica."""

    per_second: Positive
    burst: Positive
    scope: Literal["replica"] = "replica"
    reject: Reject = Reject(status=429)
    values: dict[str, Any] = {}


class Concurrency(_Model):
    """How many requests one replica works on at once; the rest are refused."""

    limit: Positive
    reject: Reject = Reject(status=503)
    reject_within_s: Seconds = 0.25
    values: dict[str, Any] = {}


class Limits(_Model):
    """How the service says no."""

    rate: RateLimit | None = None
    concurrency: Concurrency | None = None


class Poison(_Model):
    """A request that fails on its own, and how it is answered."""

    request: Json
    status: int
    body: Json = None


class Batching(_Model):
    """Requests that run together."""

    max_size: Number
    max_delay_ms: Number
    poison: Poison | None = None
    values: dict[str, Any] = {}


class Metrics(_Model):
    """Where the service counts, and under which names."""

    path: str
    headers: dict[str, str] = {}
    batch_size: str = ""
    model_runs: str = ""


class Autoscaling(_Model):
    """An autoscaler on CPU, rendered by the chart or brought by an overlay manifest."""

    min: Annotated[int, Field(ge=1)]
    max: Annotated[int, Field(ge=2)]
    cpu_percent: Annotated[int, Field(ge=1)]
    cpu_s_per_request: Seconds
    overlay: str = ""
    values: dict[str, Any] = {}


class Weights(_Model):
    """Values that make the model's weights missing, truncated and whole again."""

    missing: dict[str, Any]
    truncated: dict[str, Any]
    repaired: dict[str, Any] = {}
    names: str


class Contract(_Model):
    """All that one service promises."""

    apiVersion: Literal["seatrial/v1"]
    name: str
    chart: str = "."
    service: str = "{release}"
    container: str = ""
    port: int = 8080
    replicas: str = "replicaCount"
    ready_within_s: Seconds = 60.0
    values: dict[str, Any] = {}
    inference: Inference
    probes: Probes = Probes()
    weights: Weights | None = None
    restart: tuple[str, ...] = ()
    drain: Drain | None = None
    limits: Limits = Limits()
    batching: Batching | None = None
    metrics: Metrics | None = None
    autoscaling: Autoscaling | None = None

    @field_validator("service")
    @classmethod
    def _names_no_more_than_the_release(cls, given: str) -> str:
        try:
            given.format(release="")
        except (KeyError, IndexError, ValueError):
            raise ValueError(f"expected a name with {{release}} in it at most, found {given!r}; correct it") from None
        return given

    @model_validator(mode="after")
    def _cases_tell_apart(self) -> Contract:
        answers = [str(case.expect) for case in self.inference.cases]
        if len(answers) < LEAST_CASES:
            raise ValueError(f"inference.cases: expected at least {LEAST_CASES} cases, found {len(answers)}; add some")
        if twins := sorted({answer for answer in answers if answers.count(answer) > 1}):
            raise ValueError(
                f"inference.cases: expected answers that differ pairwise, found {len(twins)} given twice "
                f"(the first {twins[0][:80]}); a wrong answer could not be told from a right one"
            )
        return self


LEAST_CASES = 16
FILE = "contract.yaml"


def read_contract(path: Path) -> Contract:
    """The contract in a file, or in the chart folder that holds one.

    Raises InputError naming the file and the key when it is missing, not YAML, or not a contract.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        found = "no file of this kind" if file.exists() else "no such file"
        raise InputError(
            f"{file}: expected a contract, found {found}; write one beside the chart (docs/certify-your-own.md)"
        )
    document = read_yaml(file, "a contract", UniqueKeys)
    if not isinstance(document, dict):
        found = "an empty file" if document is None else f"a {type(document).__name__}"
        raise InputError(f"{file}: expected a mapping of promises, found {found}; see docs/contract.md")
    try:
        return Contract.model_validate(_with_cases(document, file))
    except ValidationError as refused:
        raise InputError(explained(file, refused.errors(), Contract)) from None


def _with_cases(document: dict[str, Any], file: Path) -> dict[str, Any]:
    inference = document.get("inference")
    if not isinstance(inference, dict):
        return document
    cases = inference.get("cases")
    if isinstance(cases, str):
        beside = file.parent / cases
        try:
            cases = read_yaml(beside, "cases", UniqueKeys)
        except InputError as broken:
            raise InputError(f"{file}, inference.cases: expected a list of cases, found none: {broken}") from None
    elif isinstance(cases, dict):
        try:
            pattern = Pattern.model_validate(cases)
        except ValidationError as refused:
            raise InputError(explained(file, refused.errors(), Pattern, ("inference", "cases"))) from None
        cases = [
            {"request": _numbered(pattern.request, i), "expect": _numbered(pattern.expect, i)}
            for i in range(pattern.count)
        ]
    return {**document, "inference": {**inference, "cases": cases}}


def _numbered(template: Json, i: int) -> Json:
    if template == "{i}":
        return i
    if isinstance(template, str):
        return template.replace("{i}", str(i))
    if isinstance(template, list):
        return [_numbered(item, i) for item in template]
    if isinstance(template, dict):
        return {key: _numbered(value, i) for key, value in template.items()}
    return template


def governed(model: BaseModel | None) -> Iterator[Governed]:
    """Every number of a promise that a Helm value governs, the promises inside it included."""
    if model is None:
        return
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Governed):
            yield value
        elif isinstance(value, BaseModel):
            yield from governed(value)


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Helm values laid over one another, later ones first; mappings merge, lists of named entries too.

    An `extraEnv`-like list (every item a mapping with `name`) merges by name, so that a promise can add a
    variable without repeating the others.
    """
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            before = result.get(key)
            if isinstance(before, dict) and isinstance(value, Mapping):
                result[key] = merged(before, value)
            elif _named(before) and _named(value):
                result[key] = list({item["name"]: item for item in [*before, *value]}.values())  # type: ignore[misc]
            else:
                result[key] = value
    return result


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "name" in item for item in value)


def placed(settings: Iterator[Governed]) -> dict[str, Any]:
    """The Helm values that these governed numbers ask for. Raises InputError where one path lies inside another."""
    result: dict[str, Any] = {}
    for setting in settings:
        *path, leaf = setting.value.split(".")
        inner = result
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise InputError(f"{setting.value}: expected values that do not hold one another, found {part} set too")
        if isinstance(inner.get(leaf), dict):
            raise InputError(f"{setting.value}: expected values that do not hold one another, found one inside it")
        inner[leaf] = setting.set
    return result
