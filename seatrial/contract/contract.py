"""All that one service promises."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from seatrial.contract.autoscaling import Autoscaling
from seatrial.contract.base import Part, Promise, Seconds
from seatrial.contract.batching import Batching
from seatrial.contract.drain import Drain
from seatrial.contract.faults import Faults
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
    """The version of this format."""
    name: str
    """The service's name in reports."""
    chart: str = "."
    """The chart's folder, from the contract's."""
    service: str = "{release}"
    """Name of the Service under load; `{release}` is the name of the Deployment."""
    container: str = ""
    """The container that serves, where the pod has several; the first, where this is left out."""
    port: int = 8080
    """Port of the Service. Pods are asked on the container's first `containerPort`."""
    replicas: str = "replicaCount"
    """The Helm value that governs the number of pods."""
    ready_within_s: Seconds = 60.0
    """A release that is not Ready after that has failed."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Helm values of every release under trial."""
    inference: Inference
    """How the service is asked, and what a right answer is."""
    probes: Probes = Probes()
    """Which HTTP probes the pods carry."""
    weights: Weights | None = None
    """Helm values that take the model away and give it back."""
    restart: Restart = Restart(())
    """A command, run in the container, that ends the server so that the container is restarted."""
    drain: Drain | None = None
    """What a pod that is told to stop does with its work."""
    limits: Limits = Limits()
    """How the service says no."""
    batching: Batching | None = None
    """Requests that are worked on together."""
    metrics: Metrics | None = None
    """Where the service counts, in the Prometheus text format."""
    autoscaling: Autoscaling | None = None
    """A HorizontalPodAutoscaler on CPU."""
    faults: Faults | None = None

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
