"""Manifests that a trial brings beside the release, and where the API keeps objects of their kinds."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from seatrial import charts
from seatrial.errors import InputError, in_words
from seatrial.watch.api import Api


def read_overlay(file: Path, **names: str) -> list[dict[str, Any]]:
    """The manifests of a file, `${name}` in it filled in. Raises InputError when it holds anything else."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        raise InputError(
            f"{file}: expected a file of manifests, found {in_words(broken)}; correct the name or file"
        ) from None
    manifests = charts.read_manifests(Template(text).safe_substitute(names), file)
    for manifest in manifests:
        if not isinstance(manifest.get("apiVersion"), str):
            raise InputError(f"{file}: expected manifests with apiVersion, found {manifest!r:.80}; give them one")
    return manifests


def object_path(api: Api, namespace: str, manifest: Mapping[str, Any]) -> str:
    """Where the object of a manifest is, or would be, in a namespace.

    Raises InputError when the cluster does not have the kind, and when the kind is not namespaced: a sandbox cleans up
    by deleting its namespace, and such an object would outlive it.
    """
    root, entry = _resource(api, manifest)
    if not entry["namespaced"]:
        raise InputError(
            f"{manifest['kind']} {manifest['metadata']['name']}: expected a kind that lives in a namespace, and goes "
            "with it when the trial ends, found one that belongs to the whole cluster; create it before the run, and "
            "leave it out here"
        )
    return f"{root}/namespaces/{namespace}/{entry['name']}/{manifest['metadata']['name']}"


def cluster_wide_path(api: Api, manifest: Mapping[str, Any]) -> str:
    """Where the object of a manifest is that belongs to the whole cluster; "" for one that lives in a namespace.

    Raises InputError when the cluster does not have the kind.
    """
    root, entry = _resource(api, manifest)
    return "" if entry["namespaced"] else f"{root}/{entry['name']}/{manifest['metadata']['name']}"


def _resource(api: Api, manifest: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Where a kind's group is, and its entry in discovery.

    The API is asked for the plural, which no rule gives: ingresses, networkpolicies, endpoints, or whatever the author
    of a CustomResourceDefinition chose.
    Source: Kubernetes, "Kubernetes API Concepts", API discovery: GET /apis/GROUP/VERSION.
    """
    version, kind, name = manifest["apiVersion"], str(manifest["kind"]), manifest["metadata"]["name"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    found = api.find(root)
    if found is None:
        raise InputError(
            f"{kind} {name}: expected a cluster with {version}, found that it has none; "
            "correct the manifest's apiVersion, or install what brings it"
        )
    # "deployments/scale" and its like are subresources, and may be of other kinds.
    whole = {entry["kind"]: entry for entry in found["resources"] if "/" not in entry["name"]}
    if kind not in whole:
        near = difflib.get_close_matches(kind, whole, n=1) or sorted(whole)
        raise InputError(
            f"{kind} {name}: expected a cluster with this kind in {version}, found {', '.join(near)}; "
            "correct the manifest's kind or apiVersion, or install what brings it"
        )
    return root, whole[kind]
