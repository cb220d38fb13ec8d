"""All that one service promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from seatrial.contract.apis import Api, StreamingApi
from seatrial.contract.autoscaling import Autoscaling
from seatrial.contract.base import Part, Promise, Seconds
from seatrial.contract.batching import Batching
from seatrial.contract.dependencies import Dependencies
from seatrial.contract.drain import Drain
from seatrial.contract.faults import Faults
from seatrial.contract.limits import Limits
from seatrial.contract.metrics import Metrics
from seatrial.contract.probes import Probes
from seatrial.contract.promises import path_of, places
from seatrial.contract.restart import Restart
from seatrial.contract.rollout import Rollout
from seatrial.contract.streaming import Streaming
from seatrial.contract.weights import Weights
from seatrial.contract.workloads import DeclaredWorkload, default_of, filled_in
from seatrial.errors import InputError

if TYPE_CHECKING:
    from seatrial.contract.rendered import Rendered

P = TypeVar("P", bound=Promise)
_API = "inference"  # where the promises of an API stand; with several, one of them is meant


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
    """Port of the Service. A pod is asked on the port to which that leads (`targetPort`)."""
    replicas: str = "replicaCount"
    """The Helm value that governs the number of pods; "" where none does: trials set it in what the chart renders."""
    workloads: dict[str, DeclaredWorkload] = Field(default_factory=dict)
    """What is on trial in a chart that does not render just one Deployment, by a name of your choice."""
    ready_within_s: Seconds = 60.0
    """A release that is not Ready after that has failed."""
    images: tuple[str, ...] = ()
    """Recipes of the chart's images, from the contract's folder."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Helm values of every release under trial."""
    dependencies: Dependencies = Dependencies({})
    """What has to be there before the release."""
    inference: Api | None = None
    """How the service is asked, and what a right answer is; this or `apis`."""
    apis: dict[str, Api] = Field(default_factory=dict)
    """Several of these, by name."""
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
    rollout: Rollout | None = None
    """What clients notice of an upgrade."""
    faults: Faults | None = None
    """How defects of the server are planted for the kill matrix."""

    def promise(self, kind: type[P]) -> P | None:
        """The promise of this type; None where it is not made. Raises KeyError for a type that no contract has."""
        value: Any = self
        for key in places(Contract)[kind]:
            value = self._asked_for(kind) if key == _API else getattr(value, key, None)
        return value if isinstance(value, kind) and value else None

    def cannot_keep(self, rendered: Rendered) -> Iterator[str]:
        """Why the chart cannot keep what is promised, promise by promise. Raises InputError as they do."""
        for kind in self.promises():
            if made := self.promise(kind):
                yield from made.cannot_keep(rendered)

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
        return filled_in(given, "release")

    @model_validator(mode="after")
    def _says_once_what_is_on_trial(self) -> Contract:
        if self.workloads and (both := [key for key in TOP_LEVEL if getattr(self, key) != TOP_LEVEL[key]]):
            raise ValueError(
                f"{both[0]}: expected it under workloads.{default_of(self.workloads)}, found it beside `workloads`; "
                "move it there"
            )
        if len(marked := [name for name, workload in self.workloads.items() if workload.default]) > 1:
            raise ValueError(f"workloads: expected one with `default: true`, found {', '.join(marked)}; mark one")
        return self

    @property
    def on_trial(self) -> Mapping[str, DeclaredWorkload]:
        """The workloads by name; one called "" where the contract has the form for a chart with one Deployment."""
        if self.workloads:
            return self.workloads
        service = self.service.replace("{release}", "{name}")
        return {"": DeclaredWorkload(container=self.container, port=self.port, service=service, replicas=self.replicas)}

    @property
    def subject(self) -> DeclaredWorkload:
        """The workload under load."""
        return self.on_trial[default_of(self.on_trial)]

    @model_validator(mode="after")
    def _is_asked_somehow(self) -> Contract:
        if self.inference is None and not self.apis:
            raise ValueError("expected `inference` or `apis`, found neither; say how the service is asked")
        if self.inference is not None and self.apis:
            raise ValueError(
                "expected `inference` (one API) or `apis` (several), found both; "
                "move what is in `inference` into `apis`, under a name of its own"
            )
        if len(defaults := [name for name, api in self.apis.items() if api.default]) > 1:
            raise ValueError(f"apis: expected one with `default: true`, found {' and '.join(defaults)}; keep one")
        for place, api in self.every_api().items():
            api.refuse_cases(place)
        return self

    def every_api(self) -> Mapping[str, Api]:
        """Every API, by where it stands in the file."""
        return {"inference": self.inference} if self.inference else {f"apis.{n}": api for n, api in self.apis.items()}

    def place_of(self, api: str = "") -> str:
        """Where the API of this name stands in the file; "": the default one, or the first where none is marked.

        Raises InputError for a name that the contract does not have.
        """
        if self.inference is not None and api in ("", "inference"):
            return "inference"
        if api in self.apis:
            return f"apis.{api}"
        if not api:
            return next(
                (f"apis.{name}" for name, each in self.apis.items() if each.default), f"apis.{next(iter(self.apis))}"
            )
        names = list(self.apis) or ["inference"]
        near = get_close_matches(api, names, n=1)
        hint = f"did you mean {near[0]}?" if near else "name one of them"
        raise InputError(f"api: expected one of {', '.join(names)}, found {api!r}; {hint}")

    def api(self, name: str = "") -> Api:
        """The API of this name, or the default one. Raises InputError as `place_of`."""
        return self.every_api()[self.place_of(name)]

    def _asked_for(self, kind: type[Promise]) -> Api:
        """The API whose promise of this type is meant."""
        streamed = self.streaming_api if kind is Streaming else None
        return streamed.api if streamed else self.api()

    @property
    def streaming_api(self) -> StreamingApi | None:
        """The API that streams: the default one, or the first that does; None where none does."""
        by_choice = {self.place_of(): self.api(), **self.every_api()}
        promised = ((place, api, api.streaming) for place, api in by_choice.items())
        return next((StreamingApi(place, api, made) for place, api, made in promised if made), None)


TOP_LEVEL = {name: Contract.model_fields[name].default for name in ("service", "container", "port", "replicas")}
