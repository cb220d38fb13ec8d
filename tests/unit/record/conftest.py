import pytest

from seatrial.ledger import ledger
from seatrial.observation import Change, GeneratorHealth, Log, Observation, Pod, Scrape, Timeline, Workload
from seatrial.record import RecordWriter, RunHeader


@pytest.fixture
def seen() -> Observation:
    return Observation(
        trial="deletion",
        namespace="run-1",
        started_s=1.25,
        ended_s=61.0,
        wall_origin_s=1_767_225_600.0,
        values={"replicas": 2, "nested": {"limits": [1, 2.5, None]}},
        ledger=ledger([{"load": "service", "sent_s": 2.0, "status": 200, "correct": 1}, {"error": "reset"}]),
        timeline=Timeline((Change(3.0, "Pod", "ADDED", "a", {"metadata": {"name": "a"}}),), ("410 Gone at 4 s",)),
        scrapes=(Scrape(5.0, "a", 200, "up 1\n", 0.01),),
        logs=(Log("a", "server", False, ((6.0, "SIGTERM"),)),),
        pods=(Pod("a", "127.0.1.1", "node", "uid", {"terminationGracePeriodSeconds": 30}),),
        generator=GeneratorHealth(2, 2, 0.001, 0.002, 0.003, 0.0),
        subject=Workload("Deployment", "subject"),
        marks={"begin": 1.5},
    )


@pytest.fixture
def header() -> RunHeader:
    return RunHeader(
        run_id="run-1",
        started="2026-01-01T00:00:00+00:00",
        seatrial="0.1.0",
        cluster="local",
        certificate="preflight",
        chart="charts/echo",
        chart_digest="sha256:ab",
        contract="service: echo\n",
        versions={"kubernetes": "v1.34.0"},
        arguments=("certify", "charts/echo"),
    )


@pytest.fixture
def record(tmp_path, header) -> RecordWriter:
    return RecordWriter.create(tmp_path, header)
