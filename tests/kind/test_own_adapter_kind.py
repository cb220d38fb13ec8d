"""An adapter of a service's own that streams, with credentials from a Secret: in the pods of trials and of loads."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import yaml

from seatrial import charts
from seatrial.record import RunRecord
from seatrial.traffic.ledger_file import LedgerFile
from seatrial.trials.context import RUN_LABEL
from seatrial.trials.pod_deletion import STREAM
from seatrial.trials.pods import namespace
from seatrial.watch.api import Api
from tests.helpers.guarded import ADAPTER, KEY, SECRET, VARIABLE, guarded

pytestmark = [pytest.mark.kind, pytest.mark.timeout(600)]

TOKEN = secrets.token_hex(16)
LINES = 5  # of each answer, with the one that ends it
SCENARIO = {
    "apiVersion": "seatrial/v1",
    "question": "Is every line told to whoever has the token?",
    "contract": "guarded",
    "stages": [{"name": "steady", "rate_rps": 10, "duration_s": 6}],
    "slos": {"error_ratio": 0},
}


@pytest.fixture(scope="module")
def chart(tmp_path_factory):
    return guarded(tmp_path_factory.mktemp("own"))


@pytest.fixture
def host(cluster, chart):
    """Where pods find a release of the chart, which has its Secret."""
    api, name = Api.connect(cluster.kubeconfig(), cluster.context), f"seatrial-test-own-{os.urandom(2).hex()}"
    api.create("/api/v1/namespaces", namespace(name, RUN_LABEL, "test-own"))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "stringData": {KEY: TOKEN}}
    api.create(f"/api/v1/namespaces/{name}/secrets", secret)
    target = charts.Target(cluster.kubeconfig(), cluster.context, name)
    charts.install(chart, release="served", target=target, values={}, timeout_s=120, wait=True)
    yield f"http://served.{name}:8080"
    api.delete(f"/api/v1/namespaces/{name}")


def seatrial(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does who has the token in the environment."""
    return subprocess.run(
        [sys.executable, "-m", "seatrial.cli.main", *map(str, arguments)],
        env={**os.environ, VARIABLE: TOKEN}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def assert_without_token(folder: Path, done: subprocess.CompletedProcess[str]) -> None:
    """The token is in no file of the record and in nothing that was said; the adapter's text is in the record."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    read = {file: file.read_bytes() for file in files}
    assert [file for file, said in read.items() if TOKEN.encode() in said] == []
    assert TOKEN not in done.stdout + done.stderr
    contract = yaml.safe_load((folder / "contract.yaml").read_text())
    assert contract["inference"]["adapter"]["text"] == ADAPTER


def test_trials_in_pods(chart, cluster, tmp_path):
    done = seatrial("certify", chart, "--cluster", "kind", "--only", "D2", "--only", "D8", "--runs", tmp_path / "runs")
    (folder,) = (tmp_path / "runs").iterdir()
    record = RunRecord.open(folder)
    found = {entry.id: (entry.verdict.outcome, entry.verdict.found) for entry in record.verdicts()}
    assert {id: outcome for id, (outcome, _) in found.items()} == {"D2": "pass", "D8": "pass"}, found
    assert done.returncode == 0, done.stderr
    streams = record.ledger("pod-deletion").of(STREAM)
    assert streams.right.all()
    assert set(streams.events.tolist()) == {LINES}
    assert_without_token(folder, done)
    again = seatrial("verify", folder, "--adapter", chart / "lines.py")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "2 verdicts judged again as recorded, 0 otherwise" in again.stdout


def test_a_load_from_pods(chart, host, tmp_path):
    scenario, out = chart.parent / "guarded.yaml", tmp_path / "out"
    scenario.write_text(yaml.safe_dump(SCENARIO))
    done = seatrial(
        "load", scenario, "--in-cluster", "--cluster", "kind", "--workers", "2", "--host", host,
        "--env", VARIABLE, "--out", out,
    )  # fmt: skip
    assert (out / "result.json").exists(), done.stdout + done.stderr
    result = orjson.loads((out / "result.json").read_bytes())
    # Whether the generators kept up depends on the machine that runs this test.
    assert all("fell behind" in reason for reason in result["invalid"]), result["invalid"]
    assert done.returncode == (2 if result["invalid"] else 0), done.stdout + done.stderr
    with LedgerFile(out / "ledger.chunks") as kept:
        rows = kept.ledger()
    assert len(rows) == result["generator"]["sent"] >= 30
    assert rows.right.all()
    assert set(rows.events.tolist()) == {LINES}
    assert_without_token(out, done)
