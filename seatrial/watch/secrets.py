"""What of a Secret may be kept: its keys, never its values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # has the whole object, values and all
LEFT_OUT = "left out"


def without_secrets(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest of any kind as a record may keep it."""
    return without_values(manifest) if manifest.get("kind") == "Secret" else dict(manifest)


def without_values(secret: Mapping[str, Any]) -> dict[str, Any]:
    """A Secret with its keys, and none of its values."""
    kept = dict(secret)
    for name in ("data", "stringData"):
        if secret.get(name):
            kept[name] = dict.fromkeys(secret[name], LEFT_OUT)
    if annotations := (secret.get("metadata") or {}).get("annotations"):
        shown = {name: text for name, text in annotations.items() if name != LAST_APPLIED}
        kept["metadata"] = {**secret["metadata"], "annotations": shown}
    return kept
