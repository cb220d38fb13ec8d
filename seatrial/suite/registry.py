"""Finds the checks in a folder and the trials that make the observations they ask for."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable
from pathlib import Path

import seatrial.trials
from seatrial.errors import InputError
from seatrial.observation import Observation
from seatrial.suite.check import DECLARED, Check
from seatrial.suite.parameters import refuse_unknown
from seatrial.trials.trial import Trial


def load_checks(*folders: Path) -> dict[str, Check]:
    """All checks below the folders, by id.

    Raises InputError for an empty folder, a file that cannot be imported, an id given twice, and a parameter that
    nothing can be given for, naming the files.
    """
    observed = load_trials()
    found: dict[str, Check] = {}
    for folder in folders:
        before = len(found)
        for file in sorted(folder.resolve().rglob("*.py")):
            if file.name.startswith("_"):
                continue
            for declared in _declared_in(folder, file):
                if other := found.get(declared.id):
                    raise InputError(
                        f"{file}: expected an id of its own, found {declared.id} also in {other.source}; rename one"
                    )
                refuse_unknown(declared.source, declared.function, observed)
                found[declared.id] = declared
        if len(found) == before:
            raise InputError(f"{folder}: expected checks below this folder, found none; is it the right one?")
    return dict(sorted(found.items(), key=lambda item: _in_order(item[0])))


def _in_order(id: str) -> tuple[str, int, str]:
    letters = id.rstrip("0123456789")
    digits = id[len(letters) :]
    return letters, int(digits or 0), id


def _declared_in(folder: Path, file: Path) -> Iterable[Check]:
    name = ".".join([f"seatrial_checks_{abs(hash(folder))}", *file.relative_to(folder.resolve()).with_suffix("").parts])
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file}: expected a Python file, found one that cannot be loaded; check its name")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as broken:
        raise InputError(f"{file}: expected a check that imports, found {broken!r}; mend the file") from broken
    for value in vars(module).values():
        declared = getattr(value, DECLARED, None)
        if isinstance(declared, Check) and declared.source == file:
            yield declared


def selected(checks: dict[str, Check], ids: Iterable[str]) -> dict[str, Check]:
    """The checks with these ids; raises InputError naming an id that does not exist."""
    wanted = list(ids)
    if unknown := [id for id in wanted if id not in checks]:
        raise InputError(f"expected ids among {', '.join(checks)}, found {', '.join(unknown)}; correct the command")
    return {id: check for id, check in checks.items() if id in wanted}


def load_trials() -> dict[type[Observation], Trial]:
    """Every trial of the engine, by the type of its observation."""
    trials: dict[type[Observation], Trial] = {}
    for module in pkgutil.iter_modules(seatrial.trials.__path__, f"{seatrial.trials.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Trial):
                trials[value.observes] = value
    return trials
