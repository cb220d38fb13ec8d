"""Loads that ask the cases of a contract: the same requests as trials, by the same adapters."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import yaml
from click.testing import CliRunner

from seatrial.cli.load import load
from seatrial.content import content
from seatrial.contract import files_of, read_contract
from seatrial.errors import InputError
from seatrial.loads.bundle import bundle
from seatrial.loads.cases import cases_of
from seatrial.loads.scenario import read_scenario
from seatrial.trials import workload

OPENMED = content("charts") / "openmed-service"
SCENARIO = {
    "apiVersion": "seatrial/v1",
    "question": "Is every answer whole?",
    "contract": "../service",
    "stages": [{"name": "base", "rate_rps": 40, "duration_s": 1}],
    "slos": {"error_ratio": 0},
}
ASK = {"path": "/ask", "method": "GET", "cases": {"count": 16, "request": {"n": "{i}"}, "any": True}}


@pytest.fixture
def scenario(tmp_path):
    """Write a scenario and, in a folder beside its own, the contract that it names; the scenario's file."""

    def write(apis=None, **changed):
        (tmp_path / "service").mkdir(exist_ok=True)
        document = {"apiVersion": "seatrial/v1", "name": "ask", "apis": apis or {"ask": ASK}}
        (tmp_path / "service" / "contract.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        (tmp_path / "scenarios").mkdir(exist_ok=True)
        file = tmp_path / "scenarios" / "ask.yaml"
        file.write_text(yaml.safe_dump({**SCENARIO, **changed}))
        return file

    return write


def run(*arguments):
    found = CliRunner().invoke(load, [str(argument) for argument in arguments], standalone_mode=False)
    if found.exception:
        raise found.exception
    return orjson.loads(found.stdout)


def test_a_scenario_that_names_a_contract_asks_its_cases(server, scenario, tmp_path):
    host = f"http://127.0.0.1:{server.server_port}"
    document = run(scenario(), "--host", host, "--json", "-q", "--out", tmp_path / "out")
    assert document["stages"][0]["scheduled"] == document["stages"][0]["good"] == server.asked > 10


def test_the_requests_are_those_of_the_trials():
    contract = read_contract(OPENMED)
    assert cases_of(OPENMED) == workload.cases(contract)
    assert cases_of(OPENMED, "deidentify") == workload.cases(contract, "deidentify")


def test_the_reference_services_load_is_what_its_contract_says():
    cases = yaml.safe_load((OPENMED / "cases.yaml").read_text(encoding="utf-8"))
    expected = [masked(case["expect"]["text"], case["expect"]["entities"]) for case in cases]
    assert [exchange.expect["deidentified_text"] for exchange in cases_of(OPENMED, "deidentify")] == expected
    assert [exchange.expect["original_text"] for exchange in cases_of(OPENMED, "deidentify")] == [
        case["request"]["text"] for case in cases
    ]


def masked(text, entities):
    """The text with each entity replaced by its label, from the last to the first, so that offsets stay true."""
    for entity in sorted(entities, key=lambda entity: -entity["start"]):
        text = text[: entity["start"]] + f"[{entity['label']}]" + text[entity["end"] :]
    return text


@pytest.mark.parametrize("name", ["contract", "deidentify"])
def test_the_locust_files_that_build_on_contracts_load(name):
    listed = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(content("loadtests") / f"{name}.py"), "--list"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (listed.returncode, "Cases" in listed.stdout or "Deidentify" in listed.stdout) == (0, True), listed.stderr


@pytest.mark.parametrize(
    ("apis", "changed", "told"),
    [
        (None, {"contract": "../nowhere"}, "nowhere: expected a contract, found no such file"),
        (None, {"api": "aks"}, "contract.yaml, api: expected one of ask, found 'aks'; did you mean ask"),
        ({"ask": {**ASK, "kind": "grpc"}}, {}, "contract.yaml, apis.ask.kind: expected one of json, .* found 'grpc'"),
        (None, {"contract": None, "loadtest": "contract", "api": "ask"}, "expected a contract beside api"),
        (None, {"contract": None}, "loadtest: expected a value, found none"),
        (
            {"ask": {**ASK, "credentials": {"environment": "NO_SUCH_KEY"}}},
            {},
            "apis.ask.credentials.environment: .*not set",
        ),
        (
            {"ask": {**ASK, "credentials": {"secret": {"name": "a", "key": "b"}}}},
            {},
            "found only a Secret; add one beside it",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(scenario, apis, changed, told):
    document = {key: value for key, value in changed.items() if value is not None}
    file = scenario(apis, **document)
    if changed.get("contract", "") is None:
        kept = yaml.safe_load(file.read_text())
        del kept["contract"]
        file.write_text(yaml.safe_dump(kept))
    with pytest.raises(InputError, match=told):
        run(file, "--host", "http://127.0.0.1:9", "-q")


def test_requests_of_a_load_have_their_credentials_from_the_environment(scenario, tmp_path, monkeypatch):
    monkeypatch.setenv("ASK_KEY", "sesame")
    scenario({"ask": {**ASK, "credentials": {"header": "X-Key", "prefix": "", "environment": "ASK_KEY"}}})
    asked = cases_of(tmp_path / "service")
    assert {exchange.headers[-1] for exchange in asked} == {("X-Key", "sesame")}


def test_what_a_contract_names_comes_along_to_pods_and_is_read_there(scenario, tmp_path):
    cases = [{"request": {"n": n}, "any": True} for n in range(16)]
    file = scenario({"ask": {**ASK, "cases": "cases.yaml"}, "mine": {**ASK, "adapter": "mine.py"}})
    (tmp_path / "service" / "cases.yaml").write_text(yaml.safe_dump(cases))
    (tmp_path / "service" / "mine.py").write_text("class Adapter: ...\n")
    assert [each.name for each in files_of(tmp_path / "service")] == ["contract.yaml", "cases.yaml", "mine.py"]
    root = tmp_path / "pod"
    brought = bundle(content("loadtests") / "contract.py", file, read_scenario(file), str(root))
    for there, here in brought.files.items():
        Path(there).parent.mkdir(parents=True, exist_ok=True)
        Path(there).write_bytes(here.read_bytes())
    there = read_scenario(Path(brought.scenario))
    assert Path(there.contract).resolve() == (root / "above" / "service").resolve()
    assert cases_of(Path(there.contract)) == cases_of(tmp_path / "service")


def test_a_contract_by_an_absolute_path_cannot_come_along(scenario, tmp_path):
    file = scenario(contract=str(tmp_path / "service"))
    with pytest.raises(InputError, match=r"ask.yaml, contract: expected a path from the scenario's folder"):
        bundle(Path("contract.py"), file, read_scenario(file), "/there")


FAILS = """
from dataclasses import dataclass

from seatrial.traffic.adapters.base import WholeReader
from seatrial.traffic.plan import Exchange

@dataclass(frozen=True)
class Adapter:
    generates = True
    readers = {"mine": lambda: WholeReader(lambda status, body: body["text"])}

    @classmethod
    def of(cls, settings):
        return cls()

    def exchange(self, case, given, expect=None, tolerance=0.0):
        return Exchange(case, "GET", "/ask", api="mine")
"""


def test_an_adapter_that_fails_on_an_answer_ends_the_load_with_its_line(server, scenario, tmp_path):
    file = scenario({"mine": {"adapter": "mine.py", "cases": ASK["cases"]}})
    (tmp_path / "service" / "mine.py").write_text(FAILS)
    with pytest.raises(InputError, match=r"mine\.py, line 10: expected an adapter that works, found TypeError"):
        run(file, "--host", f"http://127.0.0.1:{server.server_port}", "-q", "--out", tmp_path / "out")
