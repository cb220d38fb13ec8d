"""Adopting and releasing: a controller manages what its selector matches and nobody else manages.

Source: kubernetes/pkg/controller/controller_ref_manager.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from seatrial.clusters.local.controllers.controller import MANAGER
from seatrial.clusters.local.controllers.objects import (
    Obj,
    controlled_by,
    controller_of,
    is_deleted,
    key_of,
    owner_reference,
    selects,
    uid_of,
)
from seatrial.clusters.local.store import Store


def claim(
    store: Store,
    resource: str,
    owner: Obj,
    selector: dict[str, Any],
    fits: Callable[[Obj], bool] = lambda _: True,
) -> list[Obj]:
    """The objects of `resource` that `owner` manages, after adopting orphans and releasing what strayed.

    Those that match the selector and do not fit are strays, too.
    """
    claimed = []
    for found in store.list(resource, owner["metadata"]["namespace"]):
        matches = selects(selector, found["metadata"].get("labels")) and fits(found)
        if controlled_by(found, owner):
            if matches or is_deleted(owner):
                claimed.append(found)
            else:
                _disown(store, resource, found, uid_of(owner))
        elif matches and controller_of(found) is None and not is_deleted(owner) and not is_deleted(found):
            adopted = _adopt(store, resource, found, owner)
            if adopted is not None:
                claimed.append(adopted)
    return claimed


def wanted_by(store: Store, kind: str, resource: str, found: Obj) -> Iterable[tuple[str, str]]:
    """The keys of the objects of a kind that manage `found`, or whose selector matches it if nobody does."""
    owner = controller_of(found)
    if owner is None:
        labels = found["metadata"].get("labels")
        for wanting in store.list(resource, found["metadata"]["namespace"]):
            if selects(wanting["spec"].get("selector"), labels):
                yield key_of(wanting)
    elif owner["kind"] == kind:
        yield found["metadata"]["namespace"], owner["name"]


def _adopt(store: Store, resource: str, found: Obj, owner: Obj) -> Obj | None:
    def change(draft: Obj) -> None:
        draft["metadata"].setdefault("ownerReferences", []).append(owner_reference(owner))

    return store.mutate(resource, *key_of(found), change, manager=MANAGER)


def _disown(store: Store, resource: str, found: Obj, owner_uid: str) -> None:
    def change(draft: Obj) -> None:
        kept = [owner for owner in draft["metadata"]["ownerReferences"] if owner["uid"] != owner_uid]
        draft["metadata"]["ownerReferences"] = kept

    store.mutate(resource, *key_of(found), change, manager=MANAGER)
