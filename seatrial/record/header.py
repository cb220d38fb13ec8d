"""What a record says about its run before anything was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import yaml

from seatrial.contract import Contract

Kind = Literal["certify", "load"]
Status = Literal["running", "finished", "interrupted", "refused"]

SCHEMA = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """A check that a run was to judge, as a VerdictEntry names it."""

    id: str
    level: str  # MUST or SHOULD
    title: str
    name: str = ""
    promise: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What was run: checks of a chart, or the load of a scenario on a host.

    `contract` and `scenario` are the texts of contract.yaml and scenario.yaml, kept as files of their own.
    """

    run_id: str
    started: str  # UTC, ISO 8601
    seatrial: str  # the version that judges
    cluster: str  # local, kind or existing; of a load, what sent it
    certificate: str = ""  # what a passed run may be called: preflight or certified
    chart: str = ""
    chart_digest: str = ""
    contract: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)  # component to version
    arguments: tuple[str, ...] = ()  # as on the command line
    kind: Kind = "certify"
    host: str = ""  # where the service listened that got the load
    question: str = ""  # what the scenario asks
    scenario: str = ""
    others: tuple[str, ...] = ()  # files that were in the folder before, and are no part of the record
    checks: tuple[Asked, ...] = ()  # what was to be judged; empty for a load, and where it was not kept yet

    @property
    def subject(self) -> str:
        """What was on trial."""
        return self.host if self.kind == "load" else self.chart

    @property
    def promises(self) -> str:
        """The text of what it was held against."""
        return self.scenario if self.kind == "load" else self.contract


@dataclass(frozen=True, slots=True)
class RunState:
    """How far the run came. `running` in a record that nobody writes to means that the run was killed.

    `refused`: what it was told (contract, chart, image, cluster) was wrong, and its author acts.
    """

    status: Status = "running"
    ended: str = ""  # UTC, ISO 8601
    exit_status: int | None = None
    reason: str = ""  # why it was interrupted or refused


def contract_text(contract: Contract) -> str:
    """A contract as a record keeps it: whole, its cases written out."""
    return yaml.safe_dump(contract.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
