"""What a cluster must offer. Everything else goes through the Kubernetes API with its kubeconfig.

Each neighbour of this file is one kind of cluster; the same semantics tests hold them all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from seatrial.clusters.recipe import Recipe

GeneratorPlace = Literal["process", "pod"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a load generator reaches a Service so that latency can be measured.

    `host` and `port` are as the generator sees them. With `choose_endpoints` they only name the Service (and
    fill the Host header): the generator watches the Service's EndpointSlices and connects straight to one of
    the ready endpoints, drawn anew at random for each connection, as kube-proxy would; with none ready, to one
    that is terminating and still serving (KEP-1669); with none of these either it counts the connection as
    refused. Without it, the generator connects to `host:port`.
    """

    namespace: str
    service: str
    host: str
    port: int
    generator: GeneratorPlace  # a process on this machine, or a pod inside the cluster
    choose_endpoints: bool
    port_name: str = ""  # by which EndpointSlices know the Service's port; "" where it has no name


class Cluster(Protocol):
    """A place that speaks the Kubernetes API and runs containers.

    Every method raises ClusterError when the cluster or a tool it needs does not do as asked, and InputError
    when what it was told (a kubeconfig, a context, an image) is wrong.
    """

    @property
    def name(self) -> str:
        """`local`, `kind` or `existing`."""

    @property
    def certificate(self) -> Literal["preflight", "certified"]:
        """What a passed run on this cluster may be called."""

    @property
    def is_ours(self) -> bool:
        """Whether nobody else uses it: only then are its nodes touched."""

    def lacks(self, manifests: Sequence[Mapping[str, Any]]) -> list[str]:
        """What of these manifests it cannot run, a phrase each, as far as that is known before they are applied."""

    def overlooks(self, manifests: Sequence[Mapping[str, Any]]) -> list[str]:
        """What of these manifests it takes, and does less about than Kubernetes would, a phrase each."""

    @property
    def context(self) -> str | None:
        """The context within `kubeconfig()`; None is the one that file calls current."""

    def up(self) -> None:
        """Make the cluster usable; does nothing if it is. Returns once its API answers."""

    def down(self) -> None:
        """Take away what `up` of this object brought about, and nothing else."""

    def kubeconfig(self) -> Path:
        """A kubeconfig file of the running cluster."""

    @property
    def pulls(self) -> bool:
        """Whether its nodes pull the images that they were not given."""

    def take_in(self, image: str, recipe: Recipe | None) -> None:
        """Have a cluster that is up get `image`: by `recipe` where there is one, else from where it gets any image.

        The recipe is one of its repository, and makes nothing where it is for another tag. Pods use the image with
        `imagePullPolicy: IfNotPresent`. Raises InputError where nothing can stand for it.
        """

    def pod_image(self, image: str) -> str:
        """The name under which pods find one of Seatrial's own images."""

    def address(self, namespace: str, service: str, port: int) -> Address:
        """How to reach `port` (a port of the Service, not of its pods) for measured traffic."""

    def versions(self) -> dict[str, str]:
        """Component to version, for the run record; holds at least `kubernetes`."""
