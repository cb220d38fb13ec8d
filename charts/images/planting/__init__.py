"""Planted defects, kept apart from the serving code: a folder `faults/` beside a chart, with a file for each family.

`SEATRIAL_FAULT=<id>[,<id>...]` arms defects that a check must catch, `SEATRIAL_ODD=<id>` healthy oddities that no check
may fail; `SEATRIAL_FAULTS_FOLDER` is where the folder is in the image. A new one is a function in a file of the folder:
there is no list to edit. This package needs the standard library only: copy it into the image of your own server.
"""

import importlib
import pkgutil
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

from .catalogue import CATALOGUE, Fired, Planted, fault, odd
from .record import armed, fired

__all__ = ["Fired", "Planted", "UnknownFault", "arm", "arm_from_environment", "fault", "listed", "odd", "package"]

VARIABLES = {"fault": "SEATRIAL_FAULT", "odd": "SEATRIAL_ODD"}
FOLDER = "SEATRIAL_FAULTS_FOLDER"


class UnknownFault(Exception):
    """A name that nothing is planted under: a healthy run would follow, and be taken for a faulty one."""


def listed(folder: Path) -> dict[str, Planted]:
    """All that is planted in a folder, by id."""
    name = package(folder)
    for module in pkgutil.iter_modules([str(folder)]):
        importlib.import_module(f"{name}.{module.name}")
    return CATALOGUE[name]


def package(folder: Path) -> str:
    """The name under which the folder is a package: its files may import one another, and two charts never meet."""
    folder = folder.resolve()
    name = f"planted_{zlib.crc32(str(folder).encode()):08x}"
    if name not in sys.modules:
        module = ModuleType(name)
        module.__path__ = [str(folder)]
        sys.modules[name] = module
    return name


def arm(names: list[str], server: object, folder: Path, kind: str = "fault") -> None:
    """Install each named defect on a server that has not started. Raises UnknownFault before any is installed."""
    known = listed(folder)
    for name in names:
        if name not in known or known[name].kind != kind:
            options = ", ".join(sorted(planted.id for planted in known.values() if planted.kind == kind)) or "none"
            raise UnknownFault(
                f"{VARIABLES[kind]}: expected one of {options}, as {folder} has them, found {name!r}; correct the name"
            )
    for name in names:
        armed(name, kind)
        known[name].install(server, _reporter(name))


def arm_from_environment(environment: Mapping[str, str], server: object) -> None:
    """Install what the environment names. Raises UnknownFault for what there is not, or no folder to look in."""
    for kind, variable in VARIABLES.items():
        names = [name for given in environment.get(variable, "").split(",") if (name := given.strip())]
        if not names:
            continue
        folder = Path(environment.get(FOLDER, ""))
        if not environment.get(FOLDER) or not folder.is_dir():
            raise UnknownFault(
                f"{FOLDER}: expected the folder that {variable}={','.join(names)} is in, found "
                f"{environment.get(FOLDER) or 'nothing'}; set it in the image"
            )
        arm(names, server, folder, kind)


def _reporter(name: str) -> Callable[[], None]:
    return lambda: fired(name)
