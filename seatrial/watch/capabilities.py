"""What a cluster says of itself, as the templates of a chart can ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seatrial.errors import ClusterError
from seatrial.helm import Capabilities
from seatrial.watch.api import Api


def capabilities_of(api: Api, kubeconfig: Path, context: str | None) -> Capabilities:
    """Those of a cluster that is up: `api` is connected to the one of the kubeconfig.

    A group that does not answer (an aggregated API whose server is away) is left out, as Helm leaves it out.
    Raises ClusterError where the cluster does not answer at all. Source: Kubernetes, "Kubernetes API Concepts",
    API discovery; Helm, "Built-in Objects", Capabilities.APIVersions.
    """
    version = str(api.get("/version")["gitVersion"])
    return Capabilities(version, tuple(_api_versions(api)), kubeconfig, context)


def _api_versions(api: Api) -> Iterator[str]:
    """`apps/v1` and `apps/v1/Deployment`, each once."""
    groups = api.get("/apis")["groups"]
    named = [version["groupVersion"] for group in groups for version in group["versions"]]
    for group_version in [*api.get("/api")["versions"], *named]:
        try:
            found = api.get(f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}")
        except ClusterError:
            continue
        yield group_version
        yield from sorted({f"{group_version}/{entry['kind']}" for entry in found["resources"]})
