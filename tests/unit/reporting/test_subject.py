"""The report says what was on trial, what stood beside it, and what each container really ran."""

import json
from dataclasses import replace

import made_up
import pytest

from seatrial.observation import ObservedDependency, Switch, Timeline, Workload
from seatrial.record import RecordWriter
from seatrial.reporting.model import read_report
from seatrial.reporting.pages import html_page, markdown_text
from tests.helpers.observations import pod_change
from tests.helpers.overloads import overload

IMAGES = [{"container": "server", "image": "echo:1", "id": "process python, named by recipe x.yaml", "pods": ["a"]}]
DATABASE = ObservedDependency(
    "database", "postgres", "db", "postgres 16.2, a process", (Switch("refuse", 1.0, 1.1), Switch("open", 2.0, 2.1)), ()
)


def stranger(name, kind="", owner=""):
    change = pod_change(2.0, name)
    owners = [{"kind": kind, "name": owner}] if kind else []
    return replace(
        change, object={**change.object, "metadata": {**change.object["metadata"], "ownerReferences": owners}}
    )


@pytest.fixture
def report(tmp_path):
    record = RecordWriter.create(tmp_path, made_up.header("run-1"))
    changes = (stranger("a", "StatefulSet", "gateway"), stranger("b", "Job", "migrate"), stranger("c"))
    for name, dependencies in (("overload", (DATABASE,)), ("rate-limit", (DATABASE,)), ("install", ())):
        seen = replace(
            overload(), trial=name, timeline=Timeline(changes), dependencies=dependencies,
            subject=Workload("StatefulSet", "gateway", service="front"),
        )  # fmt: skip
        record.add_trial(name, seen, {"images.json": json.dumps(IMAGES)})
    record.finish(2)
    return read_report(record)


def test_trials_that_saw_the_same_are_told_together(report):
    ((alone, _), (together, room)) = report.rooms()
    assert (alone, together) == (["install"], ["overload", "rate-limit"])
    assert (room.subject, room.service, room.pods) == ("StatefulSet gateway", "front", 1)
    assert room.bystanders == (("Job migrate", 1), ("c", 1))
    assert room.dependencies == (("database", "postgres", "postgres 16.2, a process", "refuse"),)


@pytest.mark.parametrize("write", [html_page, markdown_text])
def test_the_reports_say_so(report, write):
    text = write(report)
    for said in ("StatefulSet gateway", "Job migrate (1 pod), c (1 pod)", "named by recipe x.yaml", "postgres 16.2"):
        assert said in text
