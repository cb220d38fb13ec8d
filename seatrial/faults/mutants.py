"""Defects of what a chart renders: a file each, in `mutants/` beside a contract, or in the folder that charts share."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from seatrial.contract import Contract
from seatrial.errors import INTERRUPTS, InputError
from seatrial.faults.row import Kind, Row, are_ids, overlaid
from seatrial.trials.context import Injection, Manifest


@dataclass(frozen=True, slots=True)
class Mutant:
    """One file: `BREAKS` or `SPARES`, `patch(manifests, contract)`, and whether it has to ask if it applies."""

    file: Path
    kind: Kind  # "chart" or "odd"
    checks: tuple[str, ...]
    description: str
    patch: Callable[[list[Manifest], Contract], list[Manifest]]
    values: Mapping[str, Any]
    contract: Mapping[str, Any]
    applies_to: Callable[[list[Manifest], Contract], bool] | None

    def applies(self, manifests: Sequence[Manifest], contract: Contract) -> bool:
        """Whether what is rendered has what this changes. It gets a copy. Raises InputError where it cannot tell."""
        if self.applies_to is None:
            return True
        try:
            return bool(self.applies_to(json.loads(json.dumps(manifests)), contract))
        except INTERRUPTS:
            raise
        except BaseException as broken:
            raise InputError(
                f"{self.file}: expected applies_to to say whether it applies, found that it raised {broken!r}; mend it"
            ) from broken

    @property
    def where(self) -> str:
        """The place of its check ids."""
        return f"{self.file}, {'BREAKS' if self.kind == 'chart' else 'SPARES'}"

    def row(self, contract: Contract) -> Row:
        """The mutant of a chart with this contract."""
        id = self.file.stem.replace("_", "-")
        promises = overlaid(contract, self.contract, self.file)

        def patch(manifests: list[Manifest]) -> list[Manifest]:
            return self.patch(manifests, promises)

        return Row(
            id if self.kind == "odd" else f"chart:{id}",
            self.kind,
            self.checks,
            self.description,
            Injection(self.values, patch),
            contract=self.contract,
        )


def own(folder: Path) -> list[Mutant]:
    """The mutants of one chart; [] where there is no folder.

    Raises InputError for a file without BREAKS or SPARES, a docstring, and patch(manifests, contract).
    """
    return [_read(folder, file) for file in _files(folder)]


def shared(folder: Path) -> Iterator[Mutant]:
    """The mutants of any chart. Raises InputError as `own` does, and for one that does not say when it applies."""
    for mutant in own(folder):
        if mutant.applies_to is None:
            raise InputError(
                f"{mutant.file}: expected applies_to(manifests, contract), since every chart shares it, found none; "
                "add it, or put the file into the `mutants` folder beside the contract of the chart that it belongs to"
            )
        yield mutant


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("[a-z]*.py"))


def _read(folder: Path, file: Path) -> Mutant:
    try:
        module = importlib.import_module(f"{_package(folder.resolve())}.{file.stem}")
    except INTERRUPTS:
        raise
    except BaseException as broken:
        raise InputError(f"{file}: expected a mutant that imports, found {broken!r}; mend the file") from broken
    checks = getattr(module, "BREAKS", None) or getattr(module, "SPARES", None)
    description = " ".join((module.__doc__ or "").split())
    patch = getattr(module, "patch", None)
    if not are_ids(checks) or not description or not _takes_two(patch):
        raise InputError(
            f"{file}: expected a docstring, BREAKS or SPARES (a set of check ids) and patch(manifests, contract), "
            f"found {_found(checks, description, patch)}; add what is missing"
        )
    applies_to = getattr(module, "applies_to", None)
    if applies_to is not None and not _takes_two(applies_to):
        raise InputError(f"{file}: expected applies_to(manifests, contract), found other parameters; give it these")
    return Mutant(
        file,
        "chart" if hasattr(module, "BREAKS") else "odd",
        tuple(sorted(checks)),
        description,
        module.patch,
        getattr(module, "VALUES", {}),
        getattr(module, "CONTRACT", {}),
        applies_to,
    )


def _takes_two(function: object) -> bool:
    return callable(function) and len(inspect.signature(function).parameters) == 2


def _found(checks: object, description: str, patch: object) -> str:
    missing = [
        name
        for name, lacks in (
            ("check ids", not are_ids(checks)),
            ("docstring", not description),
            ("such patch", not _takes_two(patch)),
        )
        if lacks
    ]
    return f"no {' and no '.join(missing)}"


def _package(folder: Path) -> str:
    """The folder as a package, under a name of its own, so that its files may import one another."""
    name = f"seatrial_mutants_{zlib.crc32(str(folder).encode()):08x}"
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name
