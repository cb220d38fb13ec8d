"""The file by which clients find the API server."""

from __future__ import annotations

from pathlib import Path

import yaml

NAME = "seatrial-local"


def write_kubeconfig(path: Path, url: str) -> Path:
    """Write a kubeconfig with one context for the server at `url`, readable by its owner alone."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": {"server": url}}],
        "users": [{"name": NAME, "user": {}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME, "namespace": "default"}}],
        "current-context": NAME,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path
