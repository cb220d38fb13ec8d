"""Servers with planted defects, and proof that the defect acted."""

import json
from collections.abc import Callable

import pytest
from openmed_reference import FAULTS, server
from openmed_service.server import Server
from planting import arm, package

Fires = Callable[[str], bool]
PLANTED = package(FAULTS)  # their modules, for what a test shortens


def armed(name: str, *, kind: str = "fault", **environment: str) -> Server:
    subject = server(**environment)
    arm([name], subject, FAULTS, kind)
    return subject


def fired_in(output: str, name: str) -> bool:
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return any(line["event"] == "fault_fired" and line["fault"] == name for line in lines)


def assert_fired(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert fired_in(capsys.readouterr().out, name), f"{name} never took its faulty branch"
