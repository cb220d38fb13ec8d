"""Which of a chart's pods are on trial: Deployments and StatefulSets by name, pods made at run time by their labels.

In `name` and `service`, `{release}` stands for the name of the Helm release; in `service`, `{name}` for the workload's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from seatrial.contract.base import Part
from seatrial.contract.services import listed, ports_of, target_port, wanted_in_vain
from seatrial.errors import InputError
from seatrial.observation import Workload

Manifest = Mapping[str, Any]


class DeclaredWorkload(Part):
    """What the pods on trial belong to, the container that serves in them, and how it is reached and scaled.

    Without `name`, the only one of its kind that the chart renders.
    """

    kind: Literal["Deployment", "StatefulSet"] = "Deployment"
    """What the chart renders."""
    name: str = ""
    """Its name; `{release}` is the Helm release's. None: the only one of its kind."""
    selector: dict[str, str] = Field(default_factory=dict)
    """In place of kind and name: pods that are made at run time and carry all of these labels."""
    container: str = ""
    """The container that serves, where the pod has several; the first, where this is left out."""
    port: int = 8080
    """Port of the Service. A pod is asked on the port to which that leads (`targetPort`)."""
    service: str = "{name}"
    """Name of its Service; `{name}` is the workload's name, `{release}` the Helm release's."""
    replicas: str = "replicaCount"
    """The Helm value that governs the number of its pods; "" where none does: trials write it into the manifest."""
    default: bool = False
    """This one is under load, not the first."""

    @field_validator("name")
    @classmethod
    def _holds_the_release(cls, given: str) -> str:
        return filled_in(given, "release")

    @field_validator("service")
    @classmethod
    def _holds_the_names(cls, given: str) -> str:
        return filled_in(given, "release", "name")

    @model_validator(mode="after")
    def _is_named_in_one_way(self) -> DeclaredWorkload:
        if not self.selector:
            return self
        if both := sorted(
            {"kind", "name"} & {key for key in self.model_fields_set if getattr(self, key) != DEFAULTS[key]}
        ):
            raise ValueError(f"expected selector alone, found {', '.join(both)} beside it; remove one of them")
        if "{name}" in self.service:
            raise ValueError(
                "expected service beside selector, found none, or one with {name} in it, "
                "which pods made at run time do not have; name the Service"
            )
        return self

    def of_release(self, name: str, release: str) -> Workload:
        """The workload as it is in a namespace; `name` is what the chart calls it."""
        service = self.service.format(release=release, name=name)
        return Workload("", "", self.selector, service) if self.selector else Workload(self.kind, name, service=service)


DEFAULTS = {name: field.default for name, field in DeclaredWorkload.model_fields.items()}


def filled_in(given: str, *names: str) -> str:
    """The same text. Raises ValueError when it holds other names in braces than these."""
    try:
        given.format(**dict.fromkeys(names, ""))
    except (KeyError, IndexError, ValueError):
        allowed = " or ".join(f"{{{name}}}" for name in names)
        raise ValueError(f"expected a name with {allowed} in it at most, found {given!r}; correct it") from None
    return given


def default_of(workloads: Mapping[str, DeclaredWorkload]) -> str:
    """The name of the workload under load: the one that is marked, else the first."""
    return next((name for name, workload in workloads.items() if workload.default), next(iter(workloads)))


def resolved(
    workloads: Mapping[str, DeclaredWorkload], manifests: Sequence[Manifest], release: str
) -> dict[str, Workload]:
    """Each workload as the chart renders it, by its name in the contract ("" for the top-level form).

    Raises InputError for one that the chart does not render, or that has no such container or Service, and for two
    that are the same. What is made at run time cannot be held against the chart.
    """
    found: dict[str, Workload] = {}
    for name, declared in workloads.items():
        key = f"workloads.{name}." if name else ""
        if declared.selector:
            workload = declared.of_release("", release)
        else:
            manifest = _rendered(key, declared, manifests, release)
            workload = declared.of_release(manifest["metadata"]["name"], release)
            _refuse_what_it_lacks(key, declared, workload, manifest, manifests)
        _refuse_twin(key, workload, found)
        found[name] = workload
    return found


def _refuse_twin(key: str, workload: Workload, others: Mapping[str, Workload]) -> None:
    """The same pods under two names would be under load and bystanders at once, whatever Services lead to them."""
    pods = (workload.kind, workload.name, workload.selector)
    twin = next((name for name, other in others.items() if (other.kind, other.name, other.selector) == pods), None)
    if twin is not None:
        named_by = "selector" if workload.selector else "name"
        raise InputError(
            f"{key}{named_by}: expected a workload of its own, found {workload}, which is workloads.{twin}, too; "
            f"remove one of them, or correct its {named_by}"
        )


def pod_spec(workload: Workload, manifests: Sequence[Manifest]) -> Mapping[str, Any] | None:
    """The spec of a workload's pods as rendered; None for pods that are made at run time."""
    template = pod_template(workload, manifests)
    return template["spec"] if template else None


def pod_template(workload: Workload, manifests: Sequence[Manifest]) -> Mapping[str, Any] | None:
    """What a workload's pods are made of, as rendered; None for pods that are made at run time."""
    manifest = next(
        (m for m in manifests if (m["kind"], m["metadata"]["name"]) == (workload.kind, workload.name)), None
    )
    template: Mapping[str, Any] | None = manifest["spec"]["template"] if manifest else None
    return template


def _rendered(key: str, declared: DeclaredWorkload, manifests: Sequence[Manifest], release: str) -> Manifest:
    alike = {m["metadata"]["name"]: m for m in manifests if m["kind"] == declared.kind}
    listed = ", ".join(alike) or "none"
    if declared.name:
        name = declared.name.format(release=release)
        if name not in alike:
            raise InputError(
                f"{key}name: expected a {declared.kind} that the chart renders ({listed}), found {name}; "
                "correct the name"
            )
        return alike[name]
    if len(alike) == 1:
        return next(iter(alike.values()))
    if key:
        raise InputError(
            f"{key}name: expected one {declared.kind} from the chart where none is named, "
            f"found {len(alike)} ({listed}); name the one on trial"
        )
    if not alike:
        raise InputError(
            "chart: expected one Deployment to put on trial, found 0; render one, "
            "or say under `workloads` what the pods on trial belong to"
        )
    raise InputError(
        f"workloads: expected to be told which of the chart's {len(alike)} Deployments is on trial ({listed}), "
        f"found no `workloads`; write `workloads: {{main: {{name: {listed.partition(',')[0]}}}}}` with the right name, "
        "and move service, container, port and replicas there"
    )


def _refuse_what_it_lacks(
    key: str, declared: DeclaredWorkload, workload: Workload, manifest: Manifest, manifests: Sequence[Manifest]
) -> None:
    try:
        containers = [container["name"] for container in manifest["spec"]["template"]["spec"]["containers"]]
    except (KeyError, TypeError):
        raise InputError(
            f"{key.removesuffix('.') or 'chart'}: expected a {declared.kind} with spec.template.spec.containers, "
            f"found none in {workload.name}; mend its template"
        ) from None
    if declared.container and declared.container not in containers:
        raise InputError(
            f"{key}container: expected one of {', '.join(containers)}, found {declared.container}; name the server's"
        )
    services = {m["metadata"]["name"]: m for m in manifests if m["kind"] == "Service"}
    if workload.service not in services:
        raise InputError(
            f"{key}service: expected a Service named {workload.service} among what the chart renders "
            f"({listed(services)}), found none; correct the name"
        )
    _refuse_a_service_of_other_pods(key, services[workload.service], workload, manifest)
    _refuse_a_port_that_leads_nowhere(key, declared.port, services[workload.service], manifest)


def _refuse_a_service_of_other_pods(key: str, service: Manifest, workload: Workload, manifest: Manifest) -> None:
    """Every pod of the workload is asked as what the Service leads to, so that none may be left out."""
    labels = (manifest["spec"]["template"].get("metadata") or {}).get("labels") or {}
    if lacking := wanted_in_vain(service, labels):
        wanted = listed(f"{name}: {value}" for name, value in lacking.items())
        raise InputError(
            f"{key}service: expected a Service that leads to every pod of {workload}, found {workload.service}, whose "
            f"selector wants {wanted}, which the chart does not give them; correct one of the two, or, where some pods "
            "get that label when they are made, name these by `selector`, in place of kind and name"
        )


def _refuse_a_port_that_leads_nowhere(key: str, port: int, service: Manifest, manifest: Manifest) -> None:
    if port not in (offered := [entry["port"] for entry in ports_of(service)]):
        raise InputError(
            f"{key}port: expected a port of Service {service['metadata']['name']} ({listed(offered)}), found {port}; "
            "correct it"
        )
    try:
        target_port(service, port, manifest["spec"]["template"]["spec"])
    except InputError as refused:
        raise InputError(f"{key}port: {refused}") from None
