"""What a chart's pods wait for and nothing makes: Secrets, ConfigMaps, claims, accounts. It has to be there before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.images import pod_specs
from seatrial.suite.subject import NAMESPACE, Subject
from seatrial.trials.overlay import read_overlay

# Of a pod's containers and volumes: the keys below which such objects are named.
REFERENCES = {
    "secretKeyRef": "Secret",
    "secretRef": "Secret",
    "secret": "Secret",
    "configMapKeyRef": "ConfigMap",
    "configMapRef": "ConfigMap",
    "configMap": "ConfigMap",
    "persistentVolumeClaim": "PersistentVolumeClaim",
}
NAMES = ("name", "secretName", "claimName")
EVERYWHERE = {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}  # Kubernetes makes them itself


def awaited(subject: Subject) -> Iterator[str]:
    """A phrase for each object that a pod names, and that neither the chart nor the contract's dependencies make.

    What is optional is left out. Something that the chart starts may make it: who reads this has to know.
    Raises InputError for a file of the contract's dependencies that holds no manifests.
    """
    there = {*EVERYWHERE, *_brought(subject)}
    there |= {(manifest["kind"], manifest["metadata"]["name"]) for manifest in subject.manifests}
    for manifest in subject.manifests:
        for spec in pod_specs(manifest):
            for kind, name in dict.fromkeys(_needed(spec)):
                if (kind, name) not in there:
                    yield f"{manifest['kind']} {manifest['metadata']['name']} waits for {kind} {name}"


def _brought(subject: Subject) -> Iterator[tuple[str, str]]:
    for name, dependency in subject.contract.dependencies.root.items():
        if dependency.brought:
            yield "Secret", dependency.brought.secret or name
        if dependency.secret:
            yield "Secret", dependency.secret.name
        if dependency.manifests:
            for manifest in read_overlay(subject.file.parent / dependency.manifests, namespace=NAMESPACE):
                yield manifest["kind"], manifest["metadata"]["name"]


def _needed(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if account := spec.get("serviceAccountName"):
        yield "ServiceAccount", str(account)
    for part in ("initContainers", "containers", "volumes"):
        yield from _named_in(spec.get(part))


def _named_in(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _named_in(each)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key in REFERENCES and isinstance(inner, Mapping) and not inner.get("optional"):
                yield from ((REFERENCES[key], str(inner[name])) for name in NAMES if inner.get(name))
            else:
                yield from _named_in(inner)
