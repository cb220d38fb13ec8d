"""The three patches that need no history: JSON (RFC 6902), merge (RFC 7386) and strategic merge."""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from seatrial.clusters.local.api import strategic
from seatrial.clusters.local.api.errors import StoreError, bad_request
from seatrial.clusters.local.api.schema import Type

Obj = dict[str, Any]
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


def patched(content_type: str, type_: Type, obj: Obj, patch: Any) -> Obj:
    """The object after the patch; `obj` is left as it is. Raises StoreError 400, 415 or 422."""
    if content_type == JSON_PATCH:
        return _json_patched(obj, patch)
    if not isinstance(patch, dict):
        raise bad_request(f"expected an object as patch, found {type(patch).__name__}")
    if content_type == MERGE_PATCH:
        merged: Obj = merge(obj, patch)
        return merged
    if content_type == STRATEGIC_MERGE_PATCH:
        return strategic.merge(type_, obj, patch)
    raise StoreError(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        f"{JSON_PATCH}, {MERGE_PATCH}, {STRATEGIC_MERGE_PATCH}, {APPLY_PATCH}",
    )


def merge(value: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects are merged, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, change in patch.items():
        if change is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), change)
    return result


def _json_patched(obj: Obj, patch: Any) -> Obj:
    if not isinstance(patch, list):
        raise bad_request(f"expected a list of operations as JSON patch, found {type(patch).__name__}")
    try:
        result: Obj = jsonpatch.JsonPatch(patch).apply(obj)
    except (jsonpatch.InvalidJsonPatch, TypeError, KeyError) as problem:
        raise bad_request(f"the JSON patch cannot be read: {problem}") from None
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as problem:
        raise StoreError(
            422, "Invalid", f"the server rejected our request due to an error in our request: {problem}"
        ) from None
    return result
