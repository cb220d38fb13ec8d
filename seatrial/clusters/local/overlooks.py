"""What of a chart the embedded cluster takes and does not heed: it is kinder there than Kubernetes, and says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seatrial.images import pod_specs

Manifest = Mapping[str, Any]
KINDS = {
    "NetworkPolicy": "keeps nobody out",
    "Ingress": "leads nowhere",
    "DaemonSet": "gets no pods",
    "CronJob": "gets no pods",
    "Role": "forbids nothing: every account may do everything",
    "ClusterRole": "forbids nothing: every account may do everything",
}
LOOPBACK = re.compile(r"\b(localhost|127\.0\.0\.1)\b|\[::1\]")
PROBES = ("readinessProbe", "livenessProbe", "startupProbe")


def overlooks(manifests: Sequence[Manifest]) -> list[str]:
    """A phrase for each object and each field of pods that have another effect here, or none."""
    of_kinds = [f"{m['kind']} {m['metadata']['name']} {KINDS[m['kind']]}" for m in manifests if m["kind"] in KINDS]
    return [*of_kinds, *(f"{_named(m)}: {phrase}" for m in manifests for phrase in _of_pods(m))]


def _named(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _of_pods(manifest: Manifest) -> Iterator[str]:
    if manifest["kind"] in KINDS:
        return
    for spec in pod_specs(manifest):
        containers = [each for key in ("initContainers", "containers") for each in spec.get(key) or ()]
        if any((each.get("resources") or {}).get("limits") for each in containers):
            yield "limits of CPU and memory hold nobody back"
        for container in containers:
            asked = [f"its {where}" for where, how in _inside(container) if LOOPBACK.search(json.dumps(how))]
            if asked:
                yield (
                    f"in container {container.get('name')} {' and '.join(asked)} asks localhost, which is the machine's"
                )


def _inside(container: Manifest) -> Iterator[tuple[str, Any]]:
    """What is run in the container by the kubelet, and where it is written."""
    for probe in PROBES:
        if isinstance(given := container.get(probe), Mapping) and "exec" in given:
            yield probe, given["exec"]
    hooks = container.get("lifecycle")
    for hook, given in hooks.items() if isinstance(hooks, Mapping) else ():
        if isinstance(given, Mapping) and "exec" in given:
            yield f"{hook} hook", given["exec"]
