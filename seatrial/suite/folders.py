"""The Python files of a folder of checks and trials, imported once.

The folder stands as a package of its own, so that a check can ask for the observation of a trial beside it:
`from .outage import Outage`.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from seatrial.errors import INTERRUPTS, InputError


def modules_in(folder: Path) -> Iterator[tuple[Path, ModuleType]]:
    """Every file below the folder whose name does not begin with an underscore, by path, and its module.

    A file that was imported before is not run again: what it declares keeps its identity. Raises InputError, naming
    the file, for one that does not import.
    """
    root = folder.resolve()
    name = f"seatrial_folder_{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"
    _stand_for(name, root)
    for file in sorted(root.rglob("*.py")):
        if not file.name.startswith("_"):
            yield file, _imported(".".join([name, *file.relative_to(root).with_suffix("").parts]), file)


def _stand_for(name: str, folder: Path) -> None:
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    importlib.invalidate_caches()  # files may have been written since the folder was looked at


def _imported(name: str, file: Path) -> ModuleType:
    try:
        return importlib.import_module(name)
    except INTERRUPTS:
        raise
    except BaseException as broken:  # sys.exit would end the run as if all had been judged
        raise InputError(f"{file}: expected a check or a trial that imports, found {broken!r}; mend it") from broken
