"""Who owns which field: `metadata.managedFields`, and server-side apply on top of it.

Source: kubernetes.io, "Server-Side Apply"; sigs.k8s.io/structured-merge-diff, package merge. Every write makes its
manager the owner of the fields it changes. An apply names all fields its manager wants: what it no longer names
and nobody else owns is removed, and what another manager owns and it would change is a conflict.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from seatrial.clusters.local.api import fieldset
from seatrial.clusters.local.api.applying import merged, without
from seatrial.clusters.local.api.comparison import Comparison, compare
from seatrial.clusters.local.api.decoding import decode
from seatrial.clusters.local.api.errors import StoreError
from seatrial.clusters.local.api.fieldset import NOTHING, Fields, Path
from seatrial.clusters.local.api.kinds import Kind
from seatrial.clusters.local.api.schema import type_of_kind

Obj = dict[str, Any]

# Nobody owns what the server itself keeps. Source: apimachinery, managedfields/internal, stripSet.
_SERVERS = frozenset(
    [("f:apiVersion",), ("f:kind",), ("f:metadata",)]
    + [
        ("f:metadata", f"f:{field}")
        for field in (
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
            "managedFields", "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds",
        )
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Owner:
    """One entry of managedFields."""

    manager: str
    operation: str  # Apply or Update
    api_version: str
    subresource: str
    time: str
    fields: Fields
    written: Obj | None = field(default=None, compare=False)  # the fieldsV1 behind `fields`, if it is known

    def is_same(self, other: Owner) -> bool:
        """Whether both entries are of one owner; an applier stays itself when it changes the version."""
        return (self.manager, self.operation, self.subresource) == (
            other.manager,
            other.operation,
            other.subresource,
        ) and (self.operation == "Apply" or self.api_version == other.api_version)

    def sort_key(self) -> tuple[str, str, str, bool, str]:
        """The order in messages: that of the entries as JSON."""
        return (self.manager, self.operation, self.api_version, not self.subresource, self.subresource)

    def described(self) -> str:
        """The owner in a conflict's message."""
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == "Update" else text


def note_update(kind: Kind, old: Obj | None, new: Obj, manager: str, subresource: str | None, now: str) -> None:
    """Write managedFields of `new` after any write that is no apply."""
    change = compare(type_of_kind(kind), _without_owners(old), _without_owners(new))
    changed, removed = change.changed - _SERVERS, change.removed - _SERVERS
    if old is None and kind.status:
        changed = {path for path in changed if path[0] != "f:status"}
    if not changed and not removed:
        _keep_owners(new, old)
        return
    owners = _owners(old)
    writer = Owner(manager, "Update", kind.api_version, subresource or "", now, NOTHING)
    mine = next((owner for owner in owners if owner.is_same(writer)), writer)
    others = [owner for owner in owners if not owner.is_same(writer)]
    owners = [_reduced(owner, changed | removed) for owner in others]
    owners.append(replace(mine, fields=frozenset((mine.fields | changed) - removed), time=now, written=None))
    _write(new, owners)


def applied(
    kind: Kind, live: Obj | None, config: Obj, manager: str, subresource: str | None, *, force: bool, now: str
) -> Obj:
    """The object after a server-side apply of `config`, with its managedFields.

    Raises StoreError Conflict when another manager owns a field that would change, unless `force`.
    """
    type_ = type_of_kind(kind)
    wanted = frozenset(
        path
        for path in fieldset.of_value(type_, _without_owners(config) or {}) - _SERVERS
        if (path[0] == "f:status") == (subresource == "status")
    )
    owners = _owners(live)
    applier = Owner(manager, "Apply", kind.api_version, subresource or "", now, wanted)
    last = next((owner.fields for owner in owners if owner.is_same(applier)), NOTHING)
    others = [owner for owner in owners if not owner.is_same(applier)]

    base = _without_owners(live)
    # What is owned is what was sent, empty maps too; what is merged is what the server makes of it.
    result: Obj = merged(type_, base, decode(kind, config, "Ignore")[0])
    kept = fieldset.named(frozenset().union(wanted, *(owner.fields for owner in others)))
    result = without(type_, result, fieldset.named(last) - kept - _SERVERS)
    change = compare(type_, base, result)
    if not force:
        _refuse_conflicts(others, change)
    others = [_reduced(owner, change.changed | change.removed) for owner in others]
    result = decode(kind, result, "Ignore")[0]  # what became empty is left out
    if not change.changed and not change.removed and last == wanted:
        applier = replace(applier, time=next((owner.time for owner in owners if owner.is_same(applier)), now))
    _write(result, [*others, applier])
    return result


def _refuse_conflicts(others: Iterable[Owner], change: Comparison) -> None:
    conflicts = [(owner, path) for owner in others for path in sorted(owner.fields & change.changed)]
    if not conflicts:
        return
    conflicts.sort(key=lambda conflict: (conflict[0].sort_key(), conflict[1]))
    if len(conflicts) == 1:
        owner, path = conflicts[0]
        message = f"Apply failed with 1 conflict: conflict with {owner.described()}: {fieldset.readable(path)}"
    else:
        lines = []
        for owner in sorted({owner for owner, _ in conflicts}, key=Owner.sort_key):
            lines.append(f"conflicts with {owner.described()}:")
            lines += [f"- {fieldset.readable(path)}" for other, path in conflicts if other == owner]
        message = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {owner.described()}",
            "field": fieldset.readable(path),
        }
        for owner, path in conflicts
    ]
    raise StoreError(409, "Conflict", message, {"causes": causes})


def _reduced(owner: Owner, lost: set[Path]) -> Owner:
    return replace(owner, fields=owner.fields - lost, written=None) if owner.fields & lost else owner


def _without_owners(obj: Obj | None) -> Obj | None:
    if obj is None or "managedFields" not in obj.get("metadata", {}):
        return obj
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "managedFields"}}


def _owners(obj: Obj | None) -> list[Owner]:
    entries = (obj or {}).get("metadata", {}).get("managedFields") or ()
    return [
        Owner(
            entry["manager"],
            entry["operation"],
            entry["apiVersion"],
            entry.get("subresource", ""),
            entry["time"],
            fieldset.from_v1(entry["fieldsV1"]),
            entry["fieldsV1"],
        )
        for entry in entries
    ]


def _keep_owners(new: Obj, old: Obj | None) -> None:
    new["metadata"].pop("managedFields", None)
    if old is not None and "managedFields" in old["metadata"]:
        new["metadata"]["managedFields"] = old["metadata"]["managedFields"]


def _write(obj: Obj, owners: list[Owner]) -> None:
    left = [owner for owner in owners if owner.fields]
    left.sort(key=lambda owner: (owner.operation, owner.time, owner.manager, owner.subresource))
    entries: list[Obj] = []
    for owner in left:
        entry: Obj = {
            "manager": owner.manager,
            "operation": owner.operation,
            "apiVersion": owner.api_version,
            "time": owner.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": owner.written or fieldset.to_v1(owner.fields),
        }
        if owner.subresource:
            entry["subresource"] = owner.subresource
        entries.append(entry)
    obj["metadata"].pop("managedFields", None)
    if entries:
        obj["metadata"]["managedFields"] = entries
