"""How a defect is declared."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Fired = Callable[[], None]
Install = Callable[..., None]  # the server, and what to call each time the faulty branch is taken


@dataclass(frozen=True, slots=True)
class Planted:
    id: str
    kind: str  # "fault": a check must fail; "odd": healthy, no check may
    breaks: frozenset[str]  # of an oddity: the checks that it must not break
    description: str
    install: Install
    contract: Mapping[str, object]  # what a service with it has to declare, or to be installed with, for it to act


CATALOGUE: dict[str, dict[str, Planted]] = defaultdict(dict)


def fault(name: str, *, breaks: set[str], contract: Mapping[str, object] | None = None) -> Callable[[Install], Install]:
    """Declare the function below as a defect that each check in `breaks` must catch.

    The arguments are literals, or constants of the same file: Seatrial reads them without importing the server.
    """
    return _planted(name, "fault", breaks, contract)


def odd(name: str, *, spares: set[str], contract: Mapping[str, object] | None = None) -> Callable[[Install], Install]:
    """Declare the function below as healthy: no check in `spares` may fail for it."""
    return _planted(name, "odd", spares, contract)


def _planted(
    name: str, kind: str, checks: set[str], contract: Mapping[str, object] | None
) -> Callable[[Install], Install]:
    def declare(install: Install) -> Install:
        folder = CATALOGUE[install.__module__.rpartition(".")[0]]
        if name in folder:
            raise ValueError(f"{name} is planted twice: {folder[name].install.__module__} and {install.__module__}")
        description = " ".join((install.__doc__ or "").split())
        folder[name] = Planted(name, kind, frozenset(checks), description, install, contract or {})
        return install

    return declare
