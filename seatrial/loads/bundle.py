"""The files of a load that is carried out elsewhere, and where they have to be for one another there. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path

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

    Traces keep their places relative to the scenario. Raises InputError for one that has none.
    """
    demands: list[Demand] = [*([scenario.warmup] if scenario.warmup else []), *scenario.stages]
    traces = {_beside(scenario_file, Path(one.trace.file)): Path(one.trace.file) for one in demands if one.trace}
    above = max((trace.split("/").count("..") for trace in traces), default=0)
    folder = posixpath.join(root, *["above"] * above, "load")
    beside = {f"{folder}/{file.name}": file for file in (scenario_file, locust_file)}
    brought = {posixpath.normpath(f"{folder}/{trace}"): file for trace, file in traces.items()}
    return Bundle({**brought, **beside}, f"{folder}/{locust_file.name}", f"{folder}/{scenario_file.name}")


def _beside(scenario_file: Path, trace: Path) -> str:
    """The path of a trace from the folder of its scenario, normalised."""
    try:
        return posixpath.normpath(trace.relative_to(scenario_file.parent).as_posix())
    except ValueError:
        raise InputError(
            f"{scenario_file}, trace.file: expected a path from the scenario's folder, to be found in the pods too, "
            f"found {trace}; put the trace beside the scenario"
        ) from None
