"""Namespaces: what each one is born with, and its end with everything in it.

Source: kubernetes/pkg/controller/namespace and .../certificates/rootcacertpublisher, .../serviceaccount.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from seatrial.clusters.local.api.kinds import KINDS
from seatrial.clusters.local.controllers.controller import MANAGER, Controller
from seatrial.clusters.local.controllers.objects import Key, Obj, is_deleted
from seatrial.clusters.local.store import Event, Store, StoreError

CONTENT = tuple(resource for resource, kind in KINDS.items() if kind.namespaced)
ROOT_CA = "kube-root-ca.crt"


class NamespaceController(Controller):
    """Puts the default ServiceAccount and the root certificate into each Namespace, and empties those deleted."""

    watches = ("namespaces", *CONTENT)

    def __init__(self, store: Store, root_ca: str) -> None:
        """`root_ca` is the certificate (PEM) that vouches for the API server; empty if it speaks plain HTTP."""
        super().__init__(store)
        self._root_ca = root_ca
        self._ending: set[str] = set()

    def concerned(self, event: Event) -> Iterable[Key]:
        obj = event.object
        if obj["kind"] == "Namespace":
            name = obj["metadata"]["name"]
            if event.type == "DELETED":
                self._ending.discard(name)
                return
            if is_deleted(obj):
                self._ending.add(name)
            yield "", name
        elif event.type == "DELETED":
            namespace = obj["metadata"]["namespace"]
            if namespace in self._ending or obj["kind"] in ("ServiceAccount", "ConfigMap"):
                yield "", namespace

    def reconcile(self, key: Key) -> None:
        namespace = self.store.find("namespaces", None, key[1])
        if namespace is None:
            return
        if is_deleted(namespace):
            self._empty(key[1])
            return
        self._ensure("serviceaccounts", key[1], "default", {})
        self._ensure("configmaps", key[1], ROOT_CA, {"data": {"ca.crt": self._root_ca}})

    def _ensure(self, resource: str, namespace: str, name: str, content: Obj) -> None:
        if self.store.find(resource, namespace, name) is None:
            metadata = {"name": name, "namespace": namespace}
            self.store.create(resource, {"metadata": metadata, **content}, manager=MANAGER)

    def _empty(self, namespace: str) -> None:
        """Delete what is left; the Namespace itself once nothing is."""
        left = False
        for resource in CONTENT:
            for obj in self.store.list(resource, namespace):
                if not is_deleted(obj):
                    with contextlib.suppress(StoreError):
                        self.store.delete(resource, namespace, obj["metadata"]["name"])
                left = left or self.store.find(resource, namespace, obj["metadata"]["name"]) is not None
        if not left:
            self.store.remove("namespaces", None, namespace)
