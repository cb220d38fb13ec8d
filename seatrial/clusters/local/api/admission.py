"""What happens to an object between a client's request and the store: defaults, then validation."""

from __future__ import annotations

from typing import Any, Protocol

from seatrial.clusters.local.api.kinds import Kind

Obj = dict[str, Any]


class Objects(Protocol):
    """What admission may look up."""

    def find(self, resource: str, namespace: str | None, name: str) -> Obj | None: ...


def on_create(objects: Objects, kind: Kind, new: Obj) -> None:
    """Complete and check a new object in place; raises StoreError Invalid or Forbidden."""
    if kind.resource == "namespaces":
        new.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        new.setdefault("status", {})["phase"] = "Active"


def on_update(objects: Objects, kind: Kind, new: Obj, stored: Obj, subresource: str | None) -> None:
    """Complete and check a changed object in place; raises StoreError Invalid."""
