"""All that one service promises."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from seatrial.contract.autoscaling import Autoscaling
from seatrial.contract.base import Part, Promise, Seconds
from seatrial.contract.batching import Batching
from seatrial.contract.drain import Drain
from seatrial.contract.inference import Inference
from seatrial.contract.limits import Limits
from seatrial.contract.metrics import Metrics
from seatrial.contract.probes import Probes
from seatrial.contract.promises import path_of, places
from seatrial.contract.restart import Restart
from seatrial.contract.weights import Weights

P = TypeVar("P", bound=Promise)


class Contract(Part):
    """All that one service promises."""

    apiVersion: Literal["seatrial/v1"]
    name: str
    chart: str = "."
    service: str = "{release}"
    container: str = ""
    port: int = 8080
    replicas: str = "replicaCount"
    ready_within_s: Seconds = 60.0
    values: dict[str, Any] = Field(default_factory=dict)
    inference: Inference
    probes: Probes = Probes()
    weights: Weights | None = None
    restart: Restart = Restart(())
    drain: Drain | None = None
    limits: Limits = Limits()
    batching: Batching | None = None
    metrics: Metrics | None = None
    autoscaling: Autoscaling | None = None

    def promise(self, kind: type[P]) -> P | None:
        """The promise of this type; None where it is not made. Raises KeyError for a type that no contract has."""
        value: Any = self
        for key in places(Contract)[kind]:
            value = getattr(value, key, None)
        return value if isinstance(value, kind) and value else None

    @staticmethod
    def path_of(kind: type[Promise]) -> str:
        """Where the promise stands in the file. Raises KeyError for a type that no contract has."""
        return path_of(Contract, kind)

    @staticmethod
    def promises() -> tuple[type[Promise], ...]:
        """Every promise that a contract can make, in the order of the file."""
        return tuple(places(Contract))

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
