"""A cluster that is already there, such as one with GPUs: reached by kubeconfig, never changed itself."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from kubernetes import client

from seatrial.clusters.base import Address
from seatrial.clusters.connection import ask, connect, in_cluster_address, kubernetes_version
from seatrial.clusters.recipe import Recipe
from seatrial.errors import ClusterError, InputError

# API group, resource and subresource to the verbs that a run uses. A run makes its own namespaces, so all of
# these are asked for in every namespace.
NEEDED: dict[tuple[str, str, str], tuple[str, ...]] = {
    ("", "namespaces", ""): ("create", "get", "list", "delete"),
    ("", "pods", ""): ("create", "get", "list", "watch", "delete"),
    ("", "pods", "log"): ("get",),
    ("", "pods", "exec"): ("create",),
    ("", "pods", "eviction"): ("create",),
    ("", "services", ""): ("create", "get", "list", "watch", "patch", "delete"),
    ("", "configmaps", ""): ("create", "get", "list", "patch", "delete"),
    ("", "secrets", ""): ("create", "get", "list", "patch", "update", "delete"),
    ("", "persistentvolumeclaims", ""): ("create", "get", "list", "patch", "delete"),
    ("", "events", ""): ("list", "watch"),
    ("apps", "deployments", ""): ("create", "get", "list", "watch", "patch", "delete"),
    ("apps", "deployments", "scale"): ("get", "patch"),
    ("apps", "replicasets", ""): ("get", "list", "watch"),
    ("batch", "jobs", ""): ("create", "get", "list", "watch", "patch", "delete"),
    ("discovery.k8s.io", "endpointslices", ""): ("list", "watch"),
    ("autoscaling", "horizontalpodautoscalers", ""): ("create", "get", "list", "watch", "patch", "delete"),
    ("policy", "poddisruptionbudgets", ""): ("create", "get", "list", "watch", "patch", "delete"),
}


class ExistingCluster:
    """The cluster of a kubeconfig and context. Its nodes pull what they run; nothing is built or loaded for them.

    Seatrial's own image is pulled from `registry`, a prefix such as ghcr.io/acme; without one it must be on the
    nodes under its own name. The chart's values say where the images of the service are.
    """

    name: Final = "existing"
    certificate: Final = "certified"
    is_ours: Final = False
    pulls: Final = True

    def __init__(
        self, *, kubeconfig: Path | None = None, context: str | None = None, registry: str | None = None
    ) -> None:
        self.context = context
        self.registry = registry
        self._kubeconfig = kubeconfig or Path(os.environ.get("KUBECONFIG") or "~/.kube/config").expanduser()
        self._api: client.ApiClient | None = None

    def up(self) -> None:
        """Connects and asks for every permission of a run. Raises InputError naming those that are missing."""
        api = connect(self._kubeconfig, self.context)
        missing = missing_permissions(api)
        if missing:
            raise InputError(
                f"{self._kubeconfig}: expected to be allowed at {api.configuration.host} what a run does, "
                f"found {len(missing)} permissions missing: {by_resource(missing)}; "
                "bind a ClusterRole with these to whom the kubeconfig names"
            )
        self._api = api

    def down(self) -> None:
        self._api = None

    def kubeconfig(self) -> Path:
        return self._kubeconfig

    def take_in(self, image: str, recipe: Recipe | None) -> None:
        """Nothing: the nodes pull."""

    def pod_image(self, image: str) -> str:
        return f"{self.registry.rstrip('/')}/{image}" if self.registry else image

    def lacks(self, manifests: Sequence[Mapping[str, Any]]) -> list[str]:
        return []

    def overlooks(self, manifests: Sequence[Mapping[str, Any]]) -> list[str]:
        return []

    def address(self, namespace: str, service: str, port: int) -> Address:
        return in_cluster_address(self._up_api(), namespace, service, port)

    def versions(self) -> dict[str, str]:
        return {"kubernetes": kubernetes_version(self._up_api())}

    def _up_api(self) -> client.ApiClient:
        if self._api is None:
            raise ClusterError(f"{self._kubeconfig}: expected a connection, found none yet; call up() first")
        return self._api


def missing_permissions(api: client.ApiClient) -> list[str]:
    """Those of NEEDED that the API server would refuse, such as `delete pods` or `create pods/eviction`."""
    reviews = client.AuthorizationV1Api(api)

    def refused(asked: client.V1ResourceAttributes) -> bool:
        review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=asked))
        return not ask(lambda: reviews.create_self_subject_access_review(review), api).status.allowed

    asked = list(_needed())
    with ThreadPoolExecutor(max_workers=8) as several:
        answers = list(several.map(refused, asked))
    return [_words(attributes) for attributes, no in zip(asked, answers, strict=True) if no]


def by_resource(permissions: list[str]) -> str:
    """Permissions as a ClusterRole lists them, such as `pods (create, delete), pods/log (get)`."""
    verbs: dict[str, list[str]] = {}
    for permission in permissions:
        verb, _, resource = permission.partition(" ")
        verbs.setdefault(resource, []).append(verb)
    return ", ".join(f"{resource} ({', '.join(each)})" for resource, each in verbs.items())


def _needed() -> Iterator[client.V1ResourceAttributes]:
    for (group, resource, subresource), verbs in NEEDED.items():
        for verb in verbs:
            yield client.V1ResourceAttributes(
                group=group, resource=resource, subresource=subresource or None, verb=verb
            )


def _words(attributes: client.V1ResourceAttributes) -> str:
    group = f".{attributes.group}" if attributes.group else ""
    subresource = f"/{attributes.subresource}" if attributes.subresource else ""
    return f"{attributes.verb} {attributes.resource}{group}{subresource}"
