"""What the record of a load keeps beside the ledger that its generators write there themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from seatrial.contract import read_contract
from seatrial.errors import InputError
from seatrial.loads.locust_run import Recorded, WorkerPart, ledgers_in
from seatrial.loads.scenario import Scenario
from seatrial.observation import GeneratorHealth
from seatrial.record import codec
from seatrial.record.header import contract_text
from seatrial.record.layout import CONTRACT, GENERATOR, LOADTEST, TRACES
from seatrial.record.reader import RunRecord
from seatrial.traffic.ledger_file import LedgerFile

# The ids of the verdicts on the load itself, and on what there is to judge it by; objectives begin with their stage.
SENT, SUPPORT = "load", "support"


@dataclass(frozen=True, slots=True)
class Carried:
    """A load as seatrial.loads.locust_run.Recorded has it, but for its rows."""

    health: GeneratorHealth
    stopped: bool
    start_s: float
    workers: tuple[WorkerPart, ...] = ()
    lost: tuple[str, ...] = ()


def scenario_text(scenario: Scenario) -> str:
    """The scenario, its traces and its contract where the record has them."""
    document = scenario.model_dump(mode="json", exclude_none=True)
    for demand in _demands(document):
        if trace := demand.get("trace"):
            trace["file"] = _traces(scenario)[trace["file"]]
    if scenario.contract is not None:
        document["contract"] = CONTRACT
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def files_of(scenario: Scenario, locust_file: Path) -> dict[str, bytes]:
    """The Locust file, the traces, and the contract whose cases are asked, whole; by their paths in the record."""
    traces = {there: Path(here).read_bytes() for here, there in _traces(scenario).items()}
    contract = {CONTRACT: contract_text(read_contract(Path(scenario.contract))).encode()} if scenario.contract else {}
    return {LOADTEST: locust_file.read_bytes(), **traces, **contract}


def generator_file(recorded: Recorded) -> dict[str, bytes]:
    """All that is known of a load but its rows."""
    carried = Carried(recorded.health, recorded.stopped, recorded.start_s, recorded.workers, recorded.lost)
    return {GENERATOR: codec.to_json(codec.plain(carried))}


def carried_by(record: RunRecord) -> Carried:
    """What the record says of its generators. Raises InputError, naming the file."""
    path = record.folder / GENERATOR
    return codec.structured(codec.read_json(path), Carried, str(path))


def recorded_load(record: RunRecord) -> Recorded:
    """What the record has of its load. Raises InputError, naming the file."""
    carried = carried_by(record)
    files = tuple(ledgers_in(record.folder))
    return Recorded(files, carried.health, carried.stopped, carried.start_s, carried.workers, carried.lost)


def recorded_so_far(record: RunRecord) -> str:
    """How much of a load its ledgers have, as a sentence without its stop."""
    rows, files = 0, ledgers_in(record.folder) or sorted(record.folder.glob("worker-*/*.chunks"))
    for file in files:
        try:
            with LedgerFile(file) as kept:
                rows += len(kept)
        except InputError as none:
            return f"Its ledger cannot be read: {none}"
    return f"Requests recorded so far: {rows}, in {', '.join(_within(record, file) for file in files) or 'no ledger'}"


def _within(record: RunRecord, file: Path) -> str:
    return file.relative_to(record.folder).as_posix()


def _traces(scenario: Scenario) -> dict[str, str]:
    """The traces' files, and their paths in the record."""
    demands = [*([scenario.warmup] if scenario.warmup else []), *scenario.stages]
    files = dict.fromkeys(demand.trace.file for demand in demands if demand.trace)
    return {file: f"{TRACES}/{number}-{PurePosixPath(file).name}" for number, file in enumerate(files, start=1)}


def _demands(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [*([document["warmup"]] if "warmup" in document else []), *document["stages"]]
