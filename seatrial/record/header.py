"""What a record says about its run before anything was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["running", "finished", "interrupted"]

SCHEMA = 2


@dataclass(frozen=True, slots=True)
class RunHeader:
    """`contract` is the text of contract.yaml, kept as a file of its own."""

    run_id: str
    started: str  # UTC, ISO 8601
    seatrial: str  # the version that judges
    cluster: str  # local, kind or existing
    certificate: str  # what a passed run may be called: preflight or certified
    chart: str
    chart_digest: str
    contract: str
    versions: Mapping[str, str] = field(default_factory=dict)  # component to version
    arguments: tuple[str, ...] = ()  # as on the command line


@dataclass(frozen=True, slots=True)
class RunState:
    """How far the run came. `running` in a record that nobody writes to means that the run was killed."""

    status: Status = "running"
    ended: str = ""  # UTC, ISO 8601
    exit_status: int | None = None
    reason: str = ""  # why it was interrupted
