"""The files of a load that is carried out elsewhere, and where they have to be for one another there. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path

from seatrial.contract import files_of
from seatrial.errors import InputError
from seatrial.loads.scenario import Demand, Scenario


@dataclass(frozen=True, slots=True)
class Bundle:
    """`files` are paths here by paths there; the other two are paths there."""

    files: dict[str, Path]
    locust_file: str
    scenario: str


def bundle(locust_file: Path, scenario_file: Path, scenario: Scenario, root: str) -> Bundle:
    """The Locust file, the scenario and its traces, below `root` there, an absolute path.

    Traces, and the contract with what it names, keep their places relative to the scenario. Raises InputError for one
    that has none.
    """
    demands: list[Demand] = [*([scenario.warmup] if scenario.warmup else []), *scenario.stages]
    traces = [Path(demand.trace.file) for demand in demands if demand.trace]
    contract = files_of(Path(scenario.contract)) if scenario.contract is not None else ()
    named = {
        **{_beside(scenario_file, "trace.file", file): file for file in traces},
        **{_beside(scenario_file, "contract", file): file for file in contract},
    }
    above = max((path.split("/").count("..") for path in named), default=0)
    folder = posixpath.join(root, *["above"] * above, "load")
    beside = {f"{folder}/{file.name}": file for file in (scenario_file, locust_file)}
    brought = {posixpath.normpath(f"{folder}/{path}"): file for path, file in named.items()}
    return Bundle({**brought, **beside}, f"{folder}/{locust_file.name}", f"{folder}/{scenario_file.name}")


def _beside(scenario_file: Path, key: str, file: Path) -> str:
    """The path of a file that the scenario names with `key`, from the scenario's folder, normalised."""
    try:
        return posixpath.normpath(file.relative_to(scenario_file.parent).as_posix())
    except ValueError:
        raise InputError(
            f"{scenario_file}, {key}: expected a path from the scenario's folder, to be found in the pods too, "
            f"found {file}; put the file beside the scenario"
        ) from None
