"""Where the folders beside the engine are: in a checkout next to it, in an installed wheel inside it."""

from pathlib import Path

from seatrial.errors import InputError

_PACKAGE = Path(__file__).resolve().parent


def content(name: str) -> Path:
    """The folder `conformance`, `charts`, `scenarios` or `loadtests`. Raises InputError when it did not come along."""
    for root in (_PACKAGE / "_content", _PACKAGE.parent):
        if (root / name).is_dir():
            return root / name
    raise InputError(f"expected the folder {name} beside the package, found none; install Seatrial anew")
