"""The reference service among others: the same promises, on the same pods, which are not the only ones."""

from pathlib import Path

import pytest

from seatrial.contract import read_contract
from seatrial.suite.subject import read_subject
from tests.helpers.company import CHARTS, in_company


@pytest.fixture(scope="module")
def chart(tmp_path_factory) -> Path:
    return in_company(tmp_path_factory.mktemp("company") / "openmed")


def test_there_are_others_and_one_is_on_trial(chart):
    subject = read_subject(chart)
    kinds = [manifest["kind"] for manifest in subject.manifests]
    assert [kinds.count(kind) for kind in ("Deployment", "Job", "CronJob")] == [2, 1, 1]
    (server,) = [
        m
        for m in subject.manifests
        if m["metadata"]["name"] == "subject-openmed-service" and "spec" in m and m["kind"] == "Deployment"
    ]
    assert [container["name"] for container in server["spec"]["template"]["spec"]["containers"]] == [
        "sidecar",
        "openmed-service",
    ]
    assert str(subject.workload) == "Deployment subject-openmed-service"
    assert list(subject.contract.dependencies.brought) == ["database"]


def test_it_promises_what_it_promises_alone(chart):
    alone, among_others = read_contract(CHARTS / "openmed-service"), read_contract(chart)
    for promise in type(alone).promises():
        if type(alone).path_of(promise) != "dependencies":
            assert among_others.promise(promise) == alone.promise(promise)
