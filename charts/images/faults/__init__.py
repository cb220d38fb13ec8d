"""Planted defects, kept apart from the serving code: one folder per reference server, one file per family.

`SEATRIAL_FAULT=<id>[,<id>...]` arms defects that a check must catch, `SEATRIAL_ODD=<id>` healthy oddities that no check
may fail. A new one is a function in a file of the server's folder: there is no list to edit.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping

from .catalogue import CATALOGUE, Planted, fault, odd
from .record import armed, fired

__all__ = ["Planted", "UnknownFault", "arm", "arm_from_environment", "fault", "listed", "odd"]

FOLDERS = ("openmed",)
VARIABLES = {"fault": "SEATRIAL_FAULT", "odd": "SEATRIAL_ODD"}


class UnknownFault(Exception):
    """A name that nothing is planted under: a healthy run would follow, and be taken for a faulty one."""


def listed(folder: str) -> dict[str, Planted]:
    """All that is planted in one server's folder, by id."""
    package = importlib.import_module(f"{__name__}.{folder}")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return CATALOGUE[folder]


def arm(names: list[str], server: object, folder: str, kind: str = "fault") -> None:
    """Install each named defect on a server that has not started. Raises UnknownFault before any is installed."""
    known = listed(folder)
    for name in names:
        if name not in known or known[name].kind != kind:
            options = ", ".join(sorted(one.id for one in known.values() if one.kind == kind))
            raise UnknownFault(f"{VARIABLES[kind]}: nothing is planted as {name!r}; expected one of {options}")
    for name in names:
        armed(name, kind)
        known[name].install(server, _reporter(name))


def arm_from_environment(environment: Mapping[str, str], server: object, folder: str) -> None:
    for kind, variable in VARIABLES.items():
        names = [name.strip() for name in environment.get(variable, "").split(",")]
        arm([name for name in names if name], server, folder, kind)


def _reporter(name: str) -> Callable[[], None]:
    return lambda: fired(name)
