"""Write schemas.json.gz: the types of the stored kinds, taken from a real API server and Kubernetes' .proto files.

    python -m seatrial.clusters.local.api.generate_schemas KUBECONFIG GO_MODULES

KUBECONFIG is a cluster of the version to imitate; GO_MODULES a folder that holds `k8s.io/api@vX.Y.Z` and
`k8s.io/apimachinery@vX.Y.Z` of the same version (`go env GOMODCACHE`). Both sources are Apache-2.0.
The result has `version`, `definitions` (OpenAPI v3 without descriptions) and `messages` (protobuf fields:
number to name, type and whether repeated).
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from seatrial.clusters.local.api.kinds import KINDS

REQUEST_KINDS = (
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.api.policy.v1.Eviction",
    "io.k8s.api.core.v1.Binding",
    "io.k8s.api.authentication.v1.TokenRequest",
    "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
    "io.k8s.api.authorization.v1.SelfSubjectRulesReview",
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
)
REQUEST_GROUPS = ("autoscaling/v1", "authorization.k8s.io/v1", "authentication.k8s.io/v1")
REF = "#/components/schemas/"
FIELD = re.compile(r"^\s+(?:(optional|repeated)\s+)?(map<string,\s*[\w.]+>|[\w.]+)\s+(\w+)\s*=\s*(\d+);", re.MULTILINE)
MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
SCALARS = {"string", "bytes", "bool", "int32", "int64", "uint32", "uint64", "double", "float"}


def main(kubeconfig: str, go_modules: str) -> None:
    version = _get(kubeconfig, "/version")["gitVersion"]
    known = _all_definitions(kubeconfig)
    roots = [*_roots(known), *REQUEST_KINDS]
    messages = _all_messages(Path(go_modules), version.replace("v1.", "v0."))
    data = {
        "version": version,
        "definitions": {name: _without_prose(known[name]) for name in sorted(_reachable(roots, known))},
        "messages": {name: messages[name] for name in sorted(_reachable_messages(roots, messages))},
    }
    target = Path(str(resources.files("seatrial.clusters.local.api").joinpath("schemas.json.gz")))
    target.write_bytes(gzip.compress(json.dumps(data, separators=(",", ":")).encode(), mtime=0))
    print(f"{target}: {len(data['definitions'])} definitions, {target.stat().st_size} bytes, {version}")


def _get(kubeconfig: str, path: str) -> Any:
    command = ["kubectl", "--kubeconfig", kubeconfig, "get", "--raw", path]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _all_definitions(kubeconfig: str) -> dict[str, Any]:
    groups = {kind.api_version for kind in KINDS.values()} | set(REQUEST_GROUPS)
    known: dict[str, Any] = {}
    for group in sorted(groups):
        path = f"/openapi/v3/api/{group}" if group == "v1" else f"/openapi/v3/apis/{group}"
        known |= _get(kubeconfig, path)["components"]["schemas"]
    return known


def _roots(known: dict[str, Any]) -> Iterator[str]:
    wanted = {(kind.group, kind.version, kind.kind) for kind in KINDS.values()}
    for name, definition in known.items():
        for gvk in definition.get("x-kubernetes-group-version-kind", ()):
            if (gvk["group"], gvk["version"], gvk["kind"]) in wanted and name.startswith("io.k8s.api."):
                yield name


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(REF)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _reachable(roots: Iterable[str], known: dict[str, Any]) -> set[str]:
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(_references(known[name]))
    return seen


def _without_prose(schema: Any, in_properties: bool = False) -> Any:
    """The schema without descriptions; `in_properties`: its keys are names of fields, not of OpenAPI."""
    if isinstance(schema, list):
        return [_without_prose(value) for value in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: _without_prose(value, key == "properties" and not in_properties)
        for key, value in schema.items()
        if in_properties or key != "description"
    }
    if not in_properties and "x-kubernetes-group-version-kind" in kept:
        # DeleteOptions names every group of the server.
        kept["x-kubernetes-group-version-kind"] = kept["x-kubernetes-group-version-kind"][:1]
    return kept


def _all_messages(go_modules: Path, version: str) -> dict[str, dict[str, list[Any]]]:
    messages = {}
    for module in ("api", "apimachinery"):
        root = go_modules / "k8s.io" / f"{module}@{version}"
        for path in sorted(root.rglob("generated.proto")):
            text = re.sub(r"//.*", "", path.read_text())
            package = re.search(r"^package ([\w.]+);", text, re.MULTILINE)
            if package is None:
                raise SystemExit(f"{path}: expected a package line, found none")
            for name, body in MESSAGE.findall(text):
                messages[f"{_schema_name(package[1])}.{name}"] = dict(_fields(body, package[1]))
    if not messages:
        raise SystemExit(f"{go_modules}: expected k8s.io/api@{version} in it, found none; run `go mod download` there")
    return messages


def _fields(body: str, package: str) -> Iterator[tuple[str, list[Any]]]:
    for label, type_, name, number in FIELD.findall(body):
        is_map = type_.startswith("map<")
        element = type_.split(",")[1].strip(" >") if is_map else type_
        yield number, [name, _absolute(element, package), "map" if is_map else label or "optional"]


def _absolute(type_: str, package: str) -> str:
    if type_ in SCALARS:
        return type_
    return _schema_name(type_.removeprefix(".")) if "." in type_ else f"{_schema_name(package)}.{type_}"


def _schema_name(proto_name: str) -> str:
    return "io.k8s." + proto_name.removeprefix("k8s.io.")


def _reachable_messages(roots: Iterable[str], messages: dict[str, dict[str, list[Any]]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in messages and name not in seen:
            seen.add(name)
            waiting.extend(type_ for _, type_, _ in messages[name].values() if type_ not in SCALARS)
    return seen


if __name__ == "__main__":
    main(*sys.argv[1:3])
