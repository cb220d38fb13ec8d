"""The objects of the embedded cluster, in memory, with Kubernetes' rules for writing and watching them.

One process and one asyncio loop hold the API server, the controllers and the kubelet, and all of them use
this Store directly. Every method but the iteration of a Subscription is synchronous and therefore atomic.
Objects that the Store hands out are shared with everybody else: never change one, use `mutate` or a copy.
Objects that are handed in are copied.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from seatrial.clusters.local.api import admission, ownership
from seatrial.clusters.local.api.deletion import disown, grace_s, terminating
from seatrial.clusters.local.api.errors import StoreError, already_exists, conflict, forbidden, gone, not_found
from seatrial.clusters.local.api.kinds import KINDS, Kind, kind_of
from seatrial.clusters.local.api.objects import (
    copy,
    desired,
    has_labels,
    keep_what_clients_cannot_write,
    random_suffix,
    timestamp,
)
from seatrial.clusters.local.subscription import Event, Obj, Subscription

__all__ = ["Event", "Obj", "Store", "StoreError", "Subscription", "copy", "timestamp"]

Key = tuple[str, str]  # namespace ("" for cluster-scoped kinds) and name

KEPT_EVENTS = 4096  # a kind; a watch from before them is told 410
SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class Store:
    """All objects of one cluster. `resource` is the plural name; `namespace` is None for cluster-scoped kinds."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, Obj]] = {resource: {} for resource in KINDS}
        self._history: dict[str, deque[Event]] = {resource: deque(maxlen=KEPT_EVENTS) for resource in KINDS}
        self._forgotten: dict[str, int] = dict.fromkeys(KINDS, 0)  # the newest version no longer in the history
        self._subscriptions: dict[str, list[Subscription]] = {resource: [] for resource in KINDS}
        self._version = 0
        for name in SYSTEM_NAMESPACES:
            self.create("namespaces", {"metadata": {"name": name}})

    # -- reading ------------------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """The resourceVersion of the newest write of all."""
        return self._version

    def find(self, resource: str, namespace: str | None, name: str) -> Obj | None:
        """The object, or None."""
        return self._objects[kind_of(resource).resource].get((namespace or "", name))

    def get(self, resource: str, namespace: str | None, name: str) -> Obj:
        """The object; raises StoreError NotFound."""
        found = self.find(resource, namespace, name)
        if found is None:
            raise not_found(kind_of(resource).qualified, name)
        return found

    def list(self, resource: str, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> list[Obj]:
        """The objects in the order of their names; `namespace` None is all, `labels` must all be equal."""
        objects = self._objects[kind_of(resource).resource]
        keys = sorted(key for key in objects if namespace is None or key[0] == namespace)
        found = [objects[key] for key in keys]
        return [obj for obj in found if has_labels(obj, labels)] if labels else found

    def subscribe(self, *resources: str, limit: int | None = None) -> Subscription:
        """ADDED for all that exists, then every change as it happens."""
        existing = [
            Event("ADDED", obj, None, int(obj["metadata"]["resourceVersion"]))
            for resource in resources
            for obj in self.list(resource)
        ]
        return self._subscribe(resources, existing, limit)

    def watch(self, resource: str, since: int, limit: int | None = None) -> Subscription:
        """Every change after resourceVersion `since`; raises StoreError Gone when they are no longer kept."""
        if since < self._forgotten[resource]:
            raise gone(f"too old resource version: {since} ({self._forgotten[resource]})")
        missed = [event for event in self._history[resource] if event.resource_version > since]
        return self._subscribe((resource,), missed, limit)

    # -- writing ------------------------------------------------------------------------------------------------

    def create(self, resource: str, obj: Obj, *, manager: str = "seatrial") -> Obj:
        """Store a new object: defaults, validation, uid, resourceVersion, creationTimestamp, generateName.

        Raises StoreError AlreadyExists, Invalid, NotFound (the namespace) or Forbidden (admission).
        """
        return self._add(kind_of(resource), self.admit_create(resource, obj, manager=manager))

    def update(self, resource: str, obj: Obj, *, subresource: str | None = None, manager: str = "seatrial") -> Obj:
        """Replace an object; a resourceVersion or uid in `obj` is a precondition.

        `subresource="status"` takes the status and nothing else; without it the status is left alone.
        Raises StoreError NotFound, Conflict or Invalid.
        """
        metadata = obj.get("metadata") or {}
        stored = self.get(resource, metadata.get("namespace"), metadata.get("name", ""))
        admitted = self.admit_update(resource, stored, obj, subresource=subresource, manager=manager)
        return self._replace(kind_of(resource), stored, admitted)

    def mutate(
        self,
        resource: str,
        namespace: str | None,
        name: str,
        change: Callable[[Obj], None],
        *,
        subresource: str | None = None,
        manager: str = "seatrial",
    ) -> Obj | None:
        """Read, change a private copy in place, write; no event when nothing changed, None when it is gone.

        A change of the status needs `subresource="status"`, as on every API server.
        """
        stored = self.find(resource, namespace, name)
        if stored is None:
            return None
        draft = copy(stored)
        change(draft)
        admitted = self.admit_update(resource, stored, draft, subresource=subresource, manager=manager)
        return self._replace(kind_of(resource), stored, admitted)

    def apply(
        self,
        resource: str,
        namespace: str | None,
        name: str,
        config: Obj,
        *,
        manager: str,
        force: bool = False,
        subresource: str | None = None,
    ) -> Obj:
        """Server-side apply: create the object or merge `config` into it, with ownership of fields.

        Raises StoreError Conflict when another manager owns a field that would change, unless `force`; Invalid.
        """
        kind = kind_of(resource)
        stored = self.find(resource, namespace, name)
        admitted = self.admit_apply(
            resource, namespace, name, config, manager=manager, force=force, subresource=subresource
        )
        return self._add(kind, admitted) if stored is None else self._replace(kind, stored, admitted)

    def delete(
        self,
        resource: str,
        namespace: str | None,
        name: str,
        *,
        grace_period_s: int | None = None,
        uid: str | None = None,
        propagation: str | None = None,
    ) -> Obj:
        """Remove an object, or mark it: a running pod until its grace period is over, others for their finalizers.

        `propagation="Orphan"` cuts the dependents loose first; else the garbage collector removes them later.
        Returns the object as it was last. Raises StoreError NotFound or Conflict (another uid).
        """
        kind = kind_of(resource)
        stored = self.get(resource, namespace, name)
        if uid is not None and uid != stored["metadata"]["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored['metadata']['uid']}"
            raise conflict(kind.qualified, name, why)
        if propagation == "Orphan":
            self._orphan_dependents(stored["metadata"]["uid"])
        grace = grace_s(stored, grace_period_s) if kind.resource == "pods" else 0
        if grace == 0 and not stored["metadata"].get("finalizers") and kind.resource != "namespaces":
            return self._drop(kind, stored)
        return self._replace(kind, stored, terminating(kind, stored, grace))

    def remove(self, resource: str, namespace: str | None, name: str) -> None:
        """The end of an object whose grace period is over or whose namespace is empty; harmless when it is gone.

        One that still has finalizers stays until they are taken away.
        """
        kind = kind_of(resource)
        stored = self.find(resource, namespace, name)
        if stored is None:
            return
        if stored["metadata"].get("finalizers"):
            self._replace(kind, stored, terminating(kind, stored, 0))
        else:
            self._drop(kind, stored)

    # -- admission: what a write would store --------------------------------------------------------------------

    def admit_create(self, resource: str, obj: Obj, *, manager: str = "seatrial") -> Obj:
        """The object as `create` would store it; nothing is stored (a dry run)."""
        kind = kind_of(resource)
        new = copy(obj)
        new.setdefault("metadata", {}).pop("managedFields", None)
        self._identify(kind, new)
        admission.prepare(kind, new)
        # What the server decides after this point belongs to nobody.
        ownership.note_update(kind, None, new, manager, None, timestamp())
        admission.finish(self, kind, new)
        return new

    def admit_apply(
        self,
        resource: str,
        namespace: str | None,
        name: str,
        config: Obj,
        *,
        manager: str,
        force: bool = False,
        subresource: str | None = None,
    ) -> Obj:
        """The object as `apply` would store it; nothing is stored (a dry run)."""
        kind = kind_of(resource)
        stored = self.find(resource, namespace, name)
        if stored is None and subresource is not None:
            raise not_found(kind.qualified, name)
        merged = copy(ownership.applied(kind, stored, config, manager, subresource, force=force, now=timestamp()))
        if stored is None:
            self._identify(kind, merged)
            admission.prepare(kind, merged)
            admission.finish(self, kind, merged)
            return merged
        return self._admit(kind, stored, merged, subresource)

    def admit_update(
        self, resource: str, stored: Obj, obj: Obj, *, subresource: str | None = None, manager: str = "seatrial"
    ) -> Obj:
        """The object as `update` would store it; nothing is stored (a dry run)."""
        kind = kind_of(resource)
        new = self._admit(kind, stored, copy(obj), subresource)
        ownership.note_update(kind, stored, new, manager, subresource, timestamp())
        return new

    # -- inside -------------------------------------------------------------------------------------------------

    def _subscribe(self, resources: tuple[str, ...], waiting: Iterable[Event], limit: int | None) -> Subscription:
        subscription = Subscription(waiting, limit, lambda closed: self._unsubscribe(closed, resources))
        for resource in resources:
            self._subscriptions[kind_of(resource).resource].append(subscription)
        return subscription

    def _unsubscribe(self, subscription: Subscription, resources: tuple[str, ...]) -> None:
        for resource in resources:
            if subscription in self._subscriptions[resource]:
                self._subscriptions[resource].remove(subscription)

    def _identify(self, kind: Kind, new: Obj) -> None:
        """Give a new object its identity, in place. Raises StoreError AlreadyExists, NotFound or Forbidden."""
        new["apiVersion"], new["kind"] = kind.api_version, kind.kind
        metadata = new.setdefault("metadata", {})
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName'][:58]}{random_suffix()}"
        if kind.namespaced:
            self._require_namespace(kind, metadata)
        else:
            metadata.pop("namespace", None)
        for field in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            metadata.pop(field, None)
        if kind.generation:
            metadata["generation"] = 1
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = timestamp()
        if metadata.get("name") and self.find(kind.resource, metadata.get("namespace"), metadata["name"]) is not None:
            raise already_exists(kind.qualified, metadata["name"])

    def _admit(self, kind: Kind, stored: Obj, new: Obj, subresource: str | None) -> Obj:
        """Check the preconditions in `new`, take from `stored` what this write cannot change, apply the rules."""
        name, metadata = stored["metadata"]["name"], new.setdefault("metadata", {})
        if metadata.get("resourceVersion") not in (None, "", stored["metadata"]["resourceVersion"]):
            raise conflict(
                kind.qualified,
                name,
                "the object has been modified; please apply your changes to the latest version and try again",
            )
        if metadata.get("uid") not in (None, "", stored["metadata"]["uid"]):
            why = f"Precondition failed: UID in precondition: {metadata['uid']}, "
            raise conflict(kind.qualified, name, why + f"UID in object meta: {stored['metadata']['uid']}")
        if subresource == "status":
            owners = metadata.get("managedFields")
            new = {**copy(stored), "status": new.get("status", {})}
            if owners:
                new["metadata"]["managedFields"] = owners
        else:
            keep_what_clients_cannot_write(kind, new, stored)
        admission.on_update(self, kind, new, stored, subresource)
        # Being placed on a node is no change of what is wanted of a pod.
        if kind.generation and subresource != "binding" and desired(new) != desired(stored):
            new["metadata"]["generation"] = stored["metadata"].get("generation", 1) + 1
        return new

    def _require_namespace(self, kind: Kind, metadata: Obj) -> None:
        name = metadata.setdefault("namespace", "default")
        namespace = self.get("namespaces", None, name)
        if namespace["metadata"].get("deletionTimestamp"):
            causes = [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {name} is being terminated",
                    "field": "metadata.namespace",
                }
            ]
            why = f"unable to create new content in namespace {name} because it is being terminated"
            raise forbidden(kind.qualified, metadata.get("name", ""), why, causes)

    def _orphan_dependents(self, uid: str) -> None:
        for resource, objects in self._objects.items():
            for obj in list(objects.values()):
                owners = obj["metadata"].get("ownerReferences") or ()
                if any(owner.get("uid") == uid for owner in owners):
                    metadata = obj["metadata"]
                    self.mutate(resource, metadata.get("namespace"), metadata["name"], lambda draft: disown(draft, uid))

    def _add(self, kind: Kind, new: Obj) -> Obj:
        self._record(kind, "ADDED", new, None)
        if kind.resource == "namespaces":
            self.create("serviceaccounts", {"metadata": {"name": "default", "namespace": new["metadata"]["name"]}})
        return new

    def _replace(self, kind: Kind, stored: Obj, new: Obj) -> Obj:
        if new == stored:
            return stored
        metadata = new["metadata"]
        terminated = metadata.get("deletionTimestamp") and not metadata.get("finalizers")
        if terminated and not metadata.get("deletionGracePeriodSeconds") and kind.resource != "namespaces":
            return self._drop(kind, stored, new)
        self._record(kind, "MODIFIED", new, stored)
        return new

    def _drop(self, kind: Kind, stored: Obj, last: Obj | None = None) -> Obj:
        gone_object = copy(last or stored)
        self._record(kind, "DELETED", gone_object, stored)
        return gone_object

    def _record(self, kind: Kind, type_: str, new: Obj, old: Obj | None) -> None:
        self._version += 1
        metadata = new["metadata"]
        metadata["resourceVersion"] = str(self._version)
        key = (metadata.get("namespace", ""), metadata["name"])
        if type_ == "DELETED":
            del self._objects[kind.resource][key]
        else:
            self._objects[kind.resource][key] = new
        event = Event(type_, new, old, self._version)
        history = self._history[kind.resource]
        if len(history) == KEPT_EVENTS:
            self._forgotten[kind.resource] = history[0].resource_version
        history.append(event)
        for subscription in tuple(self._subscriptions[kind.resource]):
            subscription.put(event)
