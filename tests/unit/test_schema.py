"""The published schema takes every contract of this repository, explains every key, and refuses what means nothing."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from seatrial.contract.schema import contract_schema

ROOT = Path(__file__).parents[2]
CONTRACTS = sorted([*ROOT.glob("charts/*/contract.yaml"), *ROOT.glob("examples/*/contract.yaml")])
LEAST = {
    "apiVersion": "seatrial/v1",
    "name": "echo",
    "inference": {"path": "/echo", "cases": [{"request": 1, "expect": 1}]},
}
VALIDATOR = Draft202012Validator(contract_schema())


def laid(path, value):
    document = deepcopy(LEAST)
    *parents, leaf = path.split(".")
    inner = document
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[leaf] = value
    return document


def keys(schema):
    for name, model in [("", schema), *schema["$defs"].items()]:
        for key, written in model.get("properties", {}).items():
            yield f"{name}.{key}", written, schema


def test_the_command_prints_a_schema_of_the_dialect_that_it_names(monkeypatch, capsys):
    from seatrial.cli.schema import schema

    schema.main([], standalone_mode=False)
    printed = json.loads(capsys.readouterr().out)
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(printed)
    assert printed == contract_schema()


@pytest.mark.parametrize("file", CONTRACTS, ids=lambda file: file.parent.name)
def test_every_contract_here_is_one_by_the_schema(file):
    VALIDATOR.validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def test_the_repository_has_contracts_with_cases_in_each_form():
    VALIDATOR.validate(LEAST)
    documents = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in CONTRACTS]
    apis = [api for document in documents for api in document.get("apis", {"": document.get("inference")}).values()]
    forms = {type(api["cases"]) for api in apis}
    assert len(CONTRACTS) >= 3
    assert forms >= {str, dict}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("inference.cases", "cases.yaml"),
        ("inference.cases", {"count": 16, "request": {"n": "{i}"}, "expect": {"n": "{i}"}}),
        ("inference.cases", {"count": 16, "request": "a {i}", "equals": "{i}"}),
        ("inference.cases", [{"request": 1, "any": True}]),
        ("inference.cases", [{"request": "{repeat}.", "expect": 1, "repeat": {"text": "so ", "times": 9}}]),
        ("inference.large", {"request": "{repeat}.", "expect": 1, "repeat": {"text": "so ", "times": 9}}),
        ("inference.adapter", "mine.py"),
        ("inference.streaming", True),
        ("inference.streaming", {"usage": True}),
        ("drain", {"budget_s": 5}),
        ("drain", {"budget_s": {"value": "drain.seconds", "set": 5}}),
        ("drain", None),
        ("probes", {"readiness": True, "liveness": "probes.liveness"}),
        ("limits.rate", {"per_second": 5, "burst": 9, "reject": {"status": 429, "retry_after": True}}),
        ("restart", ["kill", "1"]),
    ],
)
def test_what_may_stand_in_the_file_is_taken(path, value):
    VALIDATOR.validate(laid(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("drian", {"budget_s": 5}),
        ("drain", {"budget": 5}),
        ("drain", {"budget_s": 5, "graceful": True}),
        ("drain", {"budget_s": {"value": "a", "set": 5, "sett": 5}}),
        ("drain", {"budget_s": -1}),
        ("inference.cases", 17),
        ("inference.cases", [{"request": 1}]),
        ("inference.cases", {"count": 16, "request": 1}),
        ("inference.cases", [{"request": 1, "expect": 1, "expected": 1}]),
        ("inference.large", {"request": "{repeat}.", "repeat": {"text": "so ", "times": 9}}),
        ("inference.large", {"request": "{repeat}.", "expect": 1, "repeat": {"text": "so "}}),
        ("inference.large", {"request": "{repeat}.", "expect": 1, "repeat": {"text": "so ", "times": 1}}),
        ("inference.large", {"request": "{repeat}.", "expect": 1, "name": "large"}),
        ("inference.streaming", {"usge": True}),
        ("inference.credentials", {"secret": {"name": "a"}}),
        ("apis", {"chat": {"path": "/"}}),
        ("probes", {"readiness": 3}),
        ("limits.rate.reject.status", "429"),
        ("restart", "kill 1"),
        ("apiVersion", "seatrial/v2"),
    ],
)
def test_unknown_keys_and_wrong_types_are_refused_wherever_they_stand(path, value):
    with pytest.raises(ValidationError):
        VALIDATOR.validate(laid(path, value))


def test_a_contract_of_several_apis_is_one_by_the_schema():
    document = {**LEAST, "apis": {"chat": {**LEAST["inference"], "kind": "openai-chat"}}}
    del document["inference"]
    VALIDATOR.validate(document)
    del document["apis"]
    with pytest.raises(ValidationError):
        VALIDATOR.validate(document)


def test_every_key_is_explained():
    unexplained = [
        key
        for key, written, schema in keys(contract_schema())
        if len(written.get("description", "")) < len("The status.")
    ]
    assert unexplained == []
