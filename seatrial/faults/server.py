"""The defects of a server, as the files of a folder `faults/` declare them: `@fault("id", breaks={"…"})`.

They are read, not imported: they import the server, whose packages need not be where Seatrial runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seatrial.errors import InputError, in_words
from seatrial.faults.row import are_ids

CHECKS_UNDER = {"fault": "breaks", "odd": "spares"}
VARIABLES: Mapping[str, str] = {"fault": "SEATRIAL_FAULT", "odd": "SEATRIAL_ODD"}


@dataclass(frozen=True, slots=True)
class Declared:
    """One function of a file, as its decorator and its docstring describe it."""

    id: str
    kind: Literal["fault", "odd"]
    checks: tuple[str, ...]
    description: str
    contract: Mapping[str, Any]
    where: str  # the place of its check ids


def declared(folder: Path) -> list[Declared]:
    """All that the files of a folder plant, by id; [] where there is no folder.

    Raises InputError, naming file and line, for an id given twice, and for what cannot be read without running it.
    """
    found: dict[str, tuple[Declared, str]] = {}
    for file in sorted(folder.glob("[a-z]*.py")):
        for line, planted in _in_file(file):
            where = f"{file}:{line}"
            if planted.id in found:
                raise InputError(
                    f"{where}: expected an id of its own, found {planted.id} also at {found[planted.id][1]}; rename one"
                )
            found[planted.id] = planted, where
    return [found[id][0] for id in sorted(found)]


def _in_file(file: Path) -> Iterator[tuple[int, Declared]]:
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as broken:
        raise InputError(f"{file}: expected a Python file, found {in_words(broken)}; mend it") from None
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and (kind := _kind(decorator.func)):
                    yield node.lineno, _declared(f"{file}:{node.lineno}", kind, node, decorator, constants)


def _kind(called: ast.expr) -> Literal["fault", "odd"] | None:
    name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    return "fault" if name == "fault" else "odd" if name == "odd" else None


def _declared(
    where: str,
    kind: Literal["fault", "odd"],
    function: ast.FunctionDef,
    decorator: ast.Call,
    constants: Mapping[str, ast.expr],
) -> Declared:
    named = CHECKS_UNDER[kind]
    arguments = {keyword.arg: keyword.value for keyword in decorator.keywords}
    try:
        id = ast.literal_eval(decorator.args[0])
        checks = ast.literal_eval(_constant(arguments[named], constants))
        contract = ast.literal_eval(_constant(arguments["contract"], constants)) if "contract" in arguments else {}
        if not isinstance(id, str) or not isinstance(contract, dict) or isinstance(checks, str):
            raise TypeError(id, checks, contract)
    except (TypeError, ValueError, KeyError, IndexError):
        raise InputError(
            f'{where}: expected @{kind}("id", {named}={{check ids}}), with contract={{promises}} at most, all of it '
            f"literals or constants of this file, found {ast.unparse(decorator)}; write it so"
        ) from None
    description = " ".join((ast.get_docstring(function) or "").split())
    if not are_ids(checks) or not description:
        raise InputError(
            f"{where}: expected check ids in {named} and a docstring that says what goes wrong, "
            f"found {'no docstring' if checks else 'no ids'}; add what is missing"
        )
    return Declared(id, kind, tuple(sorted(checks)), description, contract, f"{where}, {named}")


def _constant(value: ast.expr, constants: Mapping[str, ast.expr]) -> ast.expr:
    return constants.get(value.id, value) if isinstance(value, ast.Name) else value
