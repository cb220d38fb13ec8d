"""Finds the checks in folders, and the trials that make the observations they ask for: the engine's, and those beside.

A folder of one's own may hold both.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

import seatrial.trials
from seatrial.contract import Contract
from seatrial.errors import InputError
from seatrial.observation import Observation
from seatrial.suite.check import DECLARED, Check
from seatrial.suite.folders import modules_in
from seatrial.suite.parameters import refuse_unknown
from seatrial.trials.trial import Trial


def load_checks(*folders: Path) -> dict[str, Check]:
    """All checks below the folders, by id.

    Raises InputError for a folder with neither checks nor trials, a file that cannot be imported, an id given twice,
    a parameter that nothing can be given for, and an observation without the promise of its trial, naming the files.
    """
    trials = load_trials(*folders)
    found: dict[str, Check] = {}
    for folder in folders:
        before = len(found)
        for file, module in modules_in(folder):
            for declared in _checks_in(file, module):
                if other := found.get(declared.id):
                    raise InputError(
                        f"{file}: expected an id of its own, found {declared.id} also in {other.source}; rename one"
                    )
                refuse_unknown(declared.source, declared.function, trials)
                _refuse_never_observed(declared, trials)
                found[declared.id] = declared
        if len(found) == before and not any(True for _, module in modules_in(folder) for _ in _trials_in(module)):
            raise InputError(f"{folder}: expected checks below this folder, found none; is it the right one?")
    return dict(sorted(found.items(), key=lambda item: _in_order(item[0])))


def _refuse_never_observed(check: Check, trials: Mapping[type[Observation], Trial]) -> None:
    """A check that applies where the trial that it needs is not run could only end as an error."""
    for name, kind in check.observes().items():
        lacking = [promise for promise in trials[kind].promises if not check.needs(promise)]
        if lacking and kind not in check.optional():
            raise InputError(
                f"{check.source}, {check.function.__name__}: expected a parameter of type {lacking[0].__name__} beside "
                f"`{name}`, for {kind.__name__} is observed only where the contract promises "
                f"{Contract.path_of(lacking[0])}, found none; add it, or ask for {kind.__name__} | None"
            )


def _in_order(id: str) -> tuple[str, int, str]:
    letters = id.rstrip("0123456789")
    digits = id[len(letters) :]
    return letters, int(digits or 0), id


def _checks_in(file: Path, module: ModuleType) -> Iterator[Check]:
    for value in vars(module).values():
        declared = getattr(value, DECLARED, None)
        if isinstance(declared, Check) and declared.source == file:
            yield declared


def selected(checks: Mapping[str, Check], words: Iterable[str]) -> dict[str, Check]:
    """The checks with these ids or names, and those of these groups. Raises InputError for a word that is none."""
    wanted = list(words)
    if unknown := [word for word in wanted if not any(check.is_called(word) for check in checks.values())]:
        known = [name for check in checks.values() for name in (check.id, check.name, check.group)]
        near = get_close_matches(unknown[0], known, n=1)
        groups = ", ".join(dict.fromkeys(check.group for check in checks.values()))
        raise InputError(
            f"expected ids ({', '.join(checks)}), names or groups ({groups}) of checks, found {', '.join(unknown)}"
            f"{f', near {near[0]}' if near else ''}; `seatrial checks` lists them"
        )
    return {id: check for id, check in checks.items() if any(check.is_called(word) for word in wanted)}


def load_trials(*folders: Path) -> dict[type[Observation], Trial]:
    """Every trial of the engine and of the folders, by the type of its observation.

    Raises InputError, naming both files, for two of one name, and for two that observe the same.
    """
    trials: dict[type[Observation], Trial] = {}
    names: dict[str, Trial] = {}
    for module in _engines_and(folders):
        for trial in _trials_in(module):
            if other := names.get(trial.name):
                raise InputError(
                    f"{_source(trial)}: expected a trial with a name of its own, found {trial.name} also in "
                    f"{_source(other)}; rename one"
                )
            if other := trials.get(trial.observes):
                raise InputError(
                    f"{_source(trial)}: expected an observation of its own, found {trial.observes.__name__}, which "
                    f"{_source(other)} observes, too; give it another"
                )
            names[trial.name] = trials[trial.observes] = trial
    return trials


def _engines_and(folders: Iterable[Path]) -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(seatrial.trials.__path__, f"{seatrial.trials.__name__}."):
        yield importlib.import_module(found.name)
    for folder in folders:
        for _, module in modules_in(folder):
            yield module


def _trials_in(module: ModuleType) -> Iterator[Trial]:
    """Those that it declares; what it imports is another's."""
    for value in vars(module).values():
        if isinstance(value, Trial) and value.run.__module__ == module.__name__:
            yield value


def _source(trial: Trial) -> Path:
    return Path(inspect.getsourcefile(trial.run) or trial.run.__module__)
