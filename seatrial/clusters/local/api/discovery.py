"""Which groups, versions and resources there are, in the old form and in the aggregated one."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from aiohttp import web

from seatrial.clusters.local.api.answers import answer
from seatrial.clusters.local.api.kinds import KINDS, VIRTUAL, Kind
from seatrial.clusters.local.api.schema import git_version

Obj = dict[str, Any]
ALL_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
STATUS_VERBS = ["get", "patch", "update"]


def version() -> Obj:
    """The answer to `/version`: the server whose types and rules these are."""
    major, minor, _ = git_version().removeprefix("v").split(".", 2)
    return {
        "major": major,
        "minor": minor,
        "gitVersion": git_version(),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "linux/amd64",
    }


def groups() -> list[str]:
    """The named groups, in a stable order."""
    stored = [kind.group for kind in KINDS.values() if kind.group]
    return sorted({*stored, *(name.partition("/")[0] for name in VIRTUAL)})


def group_versions() -> list[str]:
    """Every `v1`, `apps/v1` and so on."""
    return sorted({*(kind.api_version for kind in KINDS.values()), *VIRTUAL})


def answer_discovery(request: web.Request) -> web.Response | None:
    """The answer to `/api`, `/apis`, `/api/v1`, `/apis/GROUP` and `/apis/GROUP/VERSION`; None if it is none."""
    path = request.path.strip("/")
    if path in ("api", "apis"):
        return _aggregated(path) if "as=APIGroupDiscoveryList" in request.headers.get("Accept", "") else _roots(path)
    parts = path.split("/")
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in groups():
        return answer({"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1])})
    group_version = "/".join(parts[1:])
    if (parts[0] == "api") == (group_version == "v1") and group_version in group_versions():
        resources = [entry for name in _sorted_kinds(group_version) for entry in _entries(name)]
        resources += [_virtual(*entry) for entry in VIRTUAL.get(group_version, ())]
        return answer(
            {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": group_version,
                "resources": resources,
            }
        )
    return None


def _roots(path: str) -> web.Response:
    if path == "api":
        return answer({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
    return answer({"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in groups()]})


def _group(name: str) -> Obj:
    versions = [
        {"groupVersion": group_version, "version": group_version.partition("/")[2]}
        for group_version in group_versions()
        if group_version.partition("/")[0] == name
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _sorted_kinds(group_version: str) -> list[Kind]:
    return [kind for kind in KINDS.values() if kind.api_version == group_version]


def _entries(kind: Kind) -> list[Obj]:
    """A resource and its subresources, in the old form."""
    main: Obj = {
        "name": kind.resource,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": ALL_VERBS,
    }
    if kind.short_names:
        main["shortNames"] = list(kind.short_names)
    if kind.categories:
        main["categories"] = list(kind.categories)
    return [main, *(_subresource_entry(kind, *entry) for entry in _subresources(kind))]


def _subresources(kind: Kind) -> list[tuple[str, str, str, str, list[str]]]:
    """(name, group, version, kind, verbs): a subresource may be of another kind."""
    found = []
    if kind.status:
        found.append(("status", kind.group, kind.version, kind.kind, STATUS_VERBS))
    if kind.scale:
        found.append(("scale", "autoscaling", "v1", "Scale", STATUS_VERBS))
    if kind.resource == "pods":
        found += [
            ("binding", "", "v1", "Binding", ["create"]),
            ("eviction", "policy", "v1", "Eviction", ["create"]),
            ("exec", "", "v1", "PodExecOptions", ["create", "get"]),
            ("log", "", "v1", "Pod", ["get"]),
        ]
    return sorted(found)


def _subresource_entry(kind: Kind, name: str, group: str, version: str, other: str, verbs: list[str]) -> Obj:
    return {
        "name": f"{kind.resource}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "group": group,
        "version": version,
        "kind": other,
        "verbs": verbs,
    }


def _virtual(name: str, kind: str, namespaced: bool, verbs: list[str]) -> Obj:
    return {"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": verbs}


def _aggregated(path: str) -> web.Response:
    names = [""] if path == "api" else groups()
    response = answer(
        {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": [{"metadata": {"name": name} if name else {}, "versions": _versions(name)} for name in names],
        }
    )
    response.headers["Content-Type"] = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    return response


def _versions(group: str) -> list[Obj]:
    found = [name for name in group_versions() if (name.partition("/")[0] if "/" in name else "") == group]
    return [
        {
            "version": name.rpartition("/")[2],
            "freshness": "Current",
            "resources": [
                *(_aggregated_resource(kind) for kind in _sorted_kinds(name)),
                *(_aggregated_virtual(name, *entry) for entry in VIRTUAL.get(name, ())),
            ],
        }
        for name in found
    ]


def _aggregated_resource(kind: Kind) -> Obj:
    resource: Obj = {
        "resource": kind.resource,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": ALL_VERBS,
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.categories:
        resource["categories"] = list(kind.categories)
    subresources = [
        {"subresource": name, "responseKind": {"group": group, "version": version, "kind": other}, "verbs": verbs}
        for name, group, version, other, verbs in _subresources(kind)
    ]
    if subresources:
        resource["subresources"] = subresources
    return resource


def _aggregated_virtual(group_version: str, name: str, kind: str, namespaced: bool, verbs: list[str]) -> Obj:
    group, _, version = group_version.rpartition("/")
    return {
        "resource": name,
        "responseKind": {"group": group, "version": version, "kind": kind},
        "scope": "Namespaced" if namespaced else "Cluster",
        "singularResource": "",
        "verbs": verbs,
    }


def by_group_version() -> dict[str, list[Kind]]:
    """The stored kinds of each group version."""
    ordered = sorted(KINDS.values(), key=lambda kind: kind.api_version)
    return {name: list(kinds) for name, kinds in groupby(ordered, key=lambda kind: kind.api_version)}
