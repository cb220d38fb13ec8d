"""What belongs to something that is gone, goes too.

Source: kubernetes/pkg/controller/garbagecollector. Owners are in the same namespace or cluster-scoped, and are
known by their uid: one that was made anew under the old name is another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from seatrial.clusters.local.api.kinds import BY_GVK, KINDS
from seatrial.clusters.local.controllers.controller import Controller
from seatrial.clusters.local.controllers.objects import Key, Obj, is_deleted, uid_of
from seatrial.clusters.local.store import Event, Store, StoreError

FOREGROUND = "foregroundDeletion"
UNOWNED = {"events", "namespaces", "leases"}  # kinds of which nothing is ever owned


class GarbageCollector(Controller):
    """Deletes dependents whose last owner is gone, and ends foreground deletions.

    Its keys are (resource, "namespace/name"), because it looks after every kind.
    """

    watches = tuple(resource for resource in KINDS if resource not in UNOWNED)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._dependents: dict[str, dict[Key, None]] = {}  # owner's uid to the keys of what it owns

    def concerned(self, event: Event) -> Iterable[Key]:
        obj = event.object
        key = _key(obj)
        for uid in _owner_uids(event.old) - (_owner_uids(obj) if event.type != "DELETED" else set()):
            self._forget(uid, key)
            # An owner that waits for its dependents may be done now.
            yield from self._keys_of_owner(event.old or obj, uid)
        if event.type == "DELETED":
            yield from self._dependents.pop(uid_of(obj), ())
            for uid in _owner_uids(obj):
                self._forget(uid, key)
                yield from self._keys_of_owner(obj, uid)
            return
        for uid in _owner_uids(obj):
            self._dependents.setdefault(uid, {})[key] = None
        if event.type == "ADDED" and _owner_uids(obj):
            yield key
        if is_deleted(obj) and FOREGROUND in (obj["metadata"].get("finalizers") or ()):
            yield key

    def _forget(self, uid: str, key: Key) -> None:
        keys = self._dependents.get(uid)
        if keys is not None:
            keys.pop(key, None)
            if not keys:
                del self._dependents[uid]

    def _keys_of_owner(self, dependent: Obj, uid: str) -> Iterable[Key]:
        for owner in dependent["metadata"].get("ownerReferences") or ():
            if owner["uid"] == uid:
                found = self._owner(dependent, owner)
                if found is not None and is_deleted(found):
                    yield _key(found)

    def _owner(self, dependent: Obj, reference: Obj) -> Obj | None:
        """The owner that a reference means; None if it is gone."""
        kind = BY_GVK.get((reference["apiVersion"], reference["kind"]))
        if kind is None:
            return None
        namespace = dependent["metadata"].get("namespace") if kind.namespaced else None
        found = self.store.find(kind.resource, namespace, reference["name"])
        return found if found is not None and uid_of(found) == reference["uid"] else None

    def reconcile(self, key: Key) -> None:
        resource, path = key
        namespace, name = path.split("/", 1)
        obj = self.store.find(resource, namespace or None, name)
        if obj is None:
            return
        if is_deleted(obj):
            self._end_foreground(resource, obj)
            return
        references = obj["metadata"].get("ownerReferences") or []
        if not references:
            return
        owners = [self._owner(obj, reference) for reference in references]
        if all(owner is None or _waits_for_dependents(owner) for owner in owners):
            with contextlib.suppress(StoreError):  # gone meanwhile is as good
                propagation = "Foreground" if any(owners) else "Background"
                self.store.delete(resource, namespace or None, name, uid=uid_of(obj), propagation=propagation)

    def _end_foreground(self, resource: str, obj: Obj) -> None:
        if FOREGROUND not in (obj["metadata"].get("finalizers") or ()):
            return
        left = False
        for dependent_resource, path in list(self._dependents.get(uid_of(obj), {})):
            namespace, name = path.split("/", 1)
            dependent = self.store.find(dependent_resource, namespace or None, name)
            if dependent is None:
                continue
            blocks = any(
                reference["uid"] == uid_of(obj) and reference.get("blockOwnerDeletion")
                for reference in dependent["metadata"].get("ownerReferences") or ()
            )
            left = left or blocks
            if not is_deleted(dependent):
                self.reconcile((dependent_resource, path))
        if not left:
            metadata = obj["metadata"]
            self.store.mutate(resource, metadata.get("namespace"), metadata["name"], _finish_foreground)


def _key(obj: Obj) -> Key:
    resource = BY_GVK[obj["apiVersion"], obj["kind"]].resource
    return resource, f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"


def _owner_uids(obj: Obj | None) -> set[str]:
    return {owner["uid"] for owner in (obj["metadata"].get("ownerReferences") if obj else None) or ()}


def _waits_for_dependents(owner: Obj) -> bool:
    return is_deleted(owner) and FOREGROUND in (owner["metadata"].get("finalizers") or ())


def _finish_foreground(draft: Obj) -> None:
    draft["metadata"]["finalizers"] = [found for found in draft["metadata"]["finalizers"] if found != FOREGROUND]
