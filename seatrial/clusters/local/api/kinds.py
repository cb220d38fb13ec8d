"""The kinds that the embedded cluster stores, and how discovery describes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of the API. `resource` is the plural name and is unique over all groups here."""

    resource: str
    kind: str
    group: str  # "" is the core group
    version: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False  # has a status subresource
    scale: bool = False
    generation: bool = False  # metadata.generation counts the changes of spec

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def qualified(self) -> str:
        """The name in error messages: `deployments.apps`."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @property
    def list_kind(self) -> str:
        return f"{self.kind}List"


_ALL = ("all",)
_RBAC = "rbac.authorization.k8s.io"

KINDS: dict[str, Kind] = {
    kind.resource: kind
    for kind in (
        Kind("namespaces", "Namespace", "", "v1", namespaced=False, short_names=("ns",), status=True),
        Kind("nodes", "Node", "", "v1", namespaced=False, short_names=("no",), status=True),
        Kind("persistentvolumes", "PersistentVolume", "", "v1", namespaced=False, short_names=("pv",), status=True),
        Kind("configmaps", "ConfigMap", "", "v1", short_names=("cm",)),
        Kind("secrets", "Secret", "", "v1"),
        Kind("serviceaccounts", "ServiceAccount", "", "v1", short_names=("sa",)),
        Kind("pods", "Pod", "", "v1", short_names=("po",), categories=_ALL, status=True, generation=True),
        Kind("services", "Service", "", "v1", short_names=("svc",), categories=_ALL, status=True),
        Kind("endpoints", "Endpoints", "", "v1", short_names=("ep",)),
        Kind("events", "Event", "", "v1", short_names=("ev",)),
        Kind("persistentvolumeclaims", "PersistentVolumeClaim", "", "v1", short_names=("pvc",), status=True),
        Kind(
            "deployments", "Deployment", "apps", "v1", True, ("deploy",), _ALL, status=True, scale=True, generation=True
        ),
        Kind("replicasets", "ReplicaSet", "apps", "v1", True, ("rs",), _ALL, status=True, scale=True, generation=True),
        Kind(
            "statefulsets", "StatefulSet", "apps", "v1", True, ("sts",), _ALL, status=True, scale=True, generation=True
        ),
        Kind("daemonsets", "DaemonSet", "apps", "v1", True, ("ds",), _ALL, status=True, generation=True),
        Kind("controllerrevisions", "ControllerRevision", "apps", "v1"),
        Kind("jobs", "Job", "batch", "v1", categories=_ALL, status=True, generation=True),
        Kind("cronjobs", "CronJob", "batch", "v1", True, ("cj",), _ALL, status=True, generation=True),
        Kind("horizontalpodautoscalers", "HorizontalPodAutoscaler", "autoscaling", "v2", True, ("hpa",), _ALL, True),
        Kind(
            "poddisruptionbudgets", "PodDisruptionBudget", "policy", "v1", True, ("pdb",), status=True, generation=True
        ),
        Kind("endpointslices", "EndpointSlice", "discovery.k8s.io", "v1", generation=True),
        Kind("ingresses", "Ingress", "networking.k8s.io", "v1", True, ("ing",), status=True, generation=True),
        Kind("ingressclasses", "IngressClass", "networking.k8s.io", "v1", namespaced=False, generation=True),
        Kind("networkpolicies", "NetworkPolicy", "networking.k8s.io", "v1", True, ("netpol",), generation=True),
        Kind("roles", "Role", _RBAC, "v1"),
        Kind("rolebindings", "RoleBinding", _RBAC, "v1"),
        Kind("clusterroles", "ClusterRole", _RBAC, "v1", namespaced=False),
        Kind("clusterrolebindings", "ClusterRoleBinding", _RBAC, "v1", namespaced=False),
        Kind("leases", "Lease", "coordination.k8s.io", "v1"),
        Kind("storageclasses", "StorageClass", "storage.k8s.io", "v1", namespaced=False, short_names=("sc",)),
        Kind(
            "priorityclasses",
            "PriorityClass",
            "scheduling.k8s.io",
            "v1",
            namespaced=False,
            short_names=("pc",),
            generation=True,
        ),
    )
}

# Resources that hold no objects: (name, kind, namespaced, verbs) by group version.
VIRTUAL: dict[str, list[tuple[str, str, bool, list[str]]]] = {
    "authorization.k8s.io/v1": [
        ("selfsubjectaccessreviews", "SelfSubjectAccessReview", False, ["create"]),
        ("selfsubjectrulesreviews", "SelfSubjectRulesReview", False, ["create"]),
    ],
    "metrics.k8s.io/v1beta1": [
        ("nodes", "NodeMetrics", False, ["get", "list"]),
        ("pods", "PodMetrics", True, ["get", "list"]),
    ],
}

BY_GVK: dict[tuple[str, str], Kind] = {(kind.api_version, kind.kind): kind for kind in KINDS.values()}


def kind_of(resource: str) -> Kind:
    """The kind behind a plural name; KeyError names what is known."""
    try:
        return KINDS[resource]
    except KeyError:
        raise KeyError(f"resource: expected one of {', '.join(sorted(KINDS))}; found {resource!r}") from None
