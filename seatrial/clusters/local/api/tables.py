"""Answers in the form of a `Table`: what `kubectl get` prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from seatrial.clusters.local.api.columns import COLUMNS, DEFAULT, Column
from seatrial.clusters.local.api.kinds import Kind

Obj = dict[str, Any]


def table(kind: Kind, objects: Iterable[Obj], version: str, include: str = "Metadata", columns: bool = True) -> Obj:
    """The Table of some objects; `include` is None, Metadata or Object, `columns` False for a watch's later events."""
    layout = COLUMNS.get(kind.resource, DEFAULT)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [_definition(column) for column in layout] if columns else None,
        "rows": [_row(layout, obj, include) for obj in objects],
    }


def _definition(column: Column) -> Obj:
    name, type_, priority, _ = column
    return {
        "name": name,
        "type": type_,
        "format": "name" if name == "Name" else "",
        "description": "",
        "priority": priority,
    }


def _row(layout: list[Column], obj: Obj, include: str) -> Obj:
    row: Obj = {"cells": [cell(obj) for _, _, _, cell in layout]}
    if include == "Object":
        row["object"] = obj
    elif include == "Metadata":
        row["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": obj["metadata"],
        }
    return row
