"""A contract read from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seatrial.contract.base import Json
from seatrial.contract.contract import Contract
from seatrial.contract.inference import Pattern
from seatrial.documents import UniqueKeys, read_yaml
from seatrial.errors import InputError
from seatrial.explain import explained

FILE = "contract.yaml"


def read_contract(path: Path) -> Contract:
    """The contract in a file, or in the chart folder that holds one.

    Raises InputError naming the file and the key when it is missing, not YAML, or not a contract.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        found = "no file of this kind" if file.exists() else "no such file"
        raise InputError(
            f"{file}: expected a contract, found {found}; write one beside the chart (docs/certify-your-own.md)"
        )
    document = read_yaml(file, "a contract", UniqueKeys)
    if not isinstance(document, dict):
        found = "an empty file" if document is None else f"a {type(document).__name__}"
        raise InputError(f"{file}: expected a mapping of promises, found {found}; see docs/contract.md")
    try:
        return Contract.model_validate(_with_cases(document, file))
    except ValidationError as refused:
        raise InputError(explained(file, refused.errors(), Contract)) from None


def _with_cases(document: dict[str, Any], file: Path) -> dict[str, Any]:
    inference = document.get("inference")
    if not isinstance(inference, dict):
        return document
    cases = inference.get("cases")
    if isinstance(cases, str):
        beside = file.parent / cases
        try:
            cases = read_yaml(beside, "cases", UniqueKeys)
        except InputError as broken:
            raise InputError(f"{file}, inference.cases: expected a list of cases, found none: {broken}") from None
    elif isinstance(cases, dict):
        try:
            pattern = Pattern.model_validate(cases)
        except ValidationError as refused:
            raise InputError(explained(file, refused.errors(), Pattern, ("inference", "cases"))) from None
        cases = [
            {"request": _numbered(pattern.request, i), "expect": _numbered(pattern.expect, i)}
            for i in range(pattern.count)
        ]
    return {**document, "inference": {**inference, "cases": cases}}


def _numbered(template: Json, i: int) -> Json:
    if template == "{i}":
        return i
    if isinstance(template, str):
        return template.replace("{i}", str(i))
    if isinstance(template, list):
        return [_numbered(item, i) for item in template]
    if isinstance(template, dict):
        return {key: _numbered(value, i) for key, value in template.items()}
    return template
