"""A contract read from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seatrial.contract.base import Json, with_texts
from seatrial.contract.cases import Pattern
from seatrial.contract.contract import Contract
from seatrial.documents import UniqueKeys, kind_of, read_text, read_yaml
from seatrial.errors import InputError
from seatrial.explain import explained

FILE = "contract.yaml"
_TEXTS = ("equals", "contains")  # of a case: text, even where it is only a number


def read_contract(path: Path) -> Contract:
    """The contract in a file, or in the chart folder that holds one.

    Raises InputError naming the file and the key when it is missing, not YAML, or not a contract.
    """
    file, document = _read(path)
    try:
        return Contract.model_validate(_whole(document, file))
    except ValidationError as refused:
        raise InputError(explained(file, refused.errors(), Contract)) from None


def _read(path: Path) -> tuple[Path, dict[str, Any]]:
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        found = "no file of this kind" if file.exists() else "no such file"
        raise InputError(
            f"{file}: expected a contract, found {found}; write one beside the chart (docs/certify-your-own.md)"
        )
    document = read_yaml(file, "a contract", UniqueKeys)
    if not isinstance(document, dict):
        found = "an empty file" if document is None else kind_of(document)
        raise InputError(f"{file}: expected a mapping of promises, found {found}; see docs/contract.md")
    return file, document


def files_of(path: Path) -> tuple[Path, ...]:
    """The file of a contract, and those that it names beside it: cases and adapters of its APIs.

    `path` and what is raised are as in `read_contract`.
    """
    file, document = _read(path)
    apis = [document.get("inference"), *(document.get("apis") or {}).values()]
    named = [api.get(key) for api in apis if isinstance(api, dict) for key in ("cases", "adapter")]
    return (file, *(file.parent / name for name in named if isinstance(name, str)))


def _whole(document: dict[str, Any], file: Path) -> dict[str, Any]:
    """The document with all that it names of other files: the cases of its APIs, and their adapters."""
    whole = dict(document)
    if isinstance(document.get("inference"), dict):
        whole["inference"] = _whole_api(document["inference"], file, ("inference",))
    if isinstance(document.get("apis"), dict):
        whole["apis"] = {
            name: _whole_api(api, file, ("apis", str(name))) if isinstance(api, dict) else api
            for name, api in document["apis"].items()
        }
    return whole


def _whole_api(api: dict[str, Any], file: Path, place: tuple[str, ...]) -> dict[str, Any]:
    whole = dict(api)
    cases = api.get("cases")
    if isinstance(cases, str):
        try:
            whole["cases"] = read_yaml(file.parent / cases, "cases", UniqueKeys)
        except InputError as broken:
            where = ".".join((*place, "cases"))
            raise InputError(f"{file}, {where}: expected a list of cases, found none: {broken}") from None
    elif isinstance(cases, dict):
        whole["cases"] = _numbered_cases(cases, file, (*place, "cases"))
    if isinstance(adapter := api.get("adapter"), str):
        beside = file.parent / adapter
        whole["adapter"] = {"file": str(beside), "text": read_text(beside, "an adapter")}
    return whole


def _numbered_cases(pattern: dict[str, Any], file: Path, place: tuple[str, ...]) -> list[dict[str, Any]]:
    try:
        count = Pattern.model_validate(pattern).count
    except ValidationError as refused:
        raise InputError(explained(file, refused.errors(), Pattern, place)) from None
    return [
        {
            key: value.replace("{i}", str(i)) if key in _TEXTS and isinstance(value, str) else _numbered(value, i)
            for key, value in pattern.items()
            if key != "count"
        }
        for i in range(count)
    ]


def _numbered(template: Json, i: int) -> Json:
    return with_texts(template, lambda text: i if text == "{i}" else text.replace("{i}", str(i)))
