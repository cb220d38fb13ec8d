"""The documentation says what the code does: every key, check, command and example, and nothing else."""

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from pydantic import BaseModel, RootModel

from seatrial.cli import main
from seatrial.content import content
from seatrial.contract import AdapterFile, Case, Contract, Governed, Pattern, read_contract
from seatrial.suite.registry import load_checks
from seatrial.traffic.adapters import own
from seatrial.traffic.adapters.apis import read
from seatrial.traffic.adapters.base import Reply, Settings
from seatrial.traffic.plan import Source
from seatrial.trials.asking import refuse_unaskable

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def rows(text: str) -> dict[str, list[str]]:
    """Table rows whose first cell is one key in backticks: key to the other cells."""
    cells = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines())
    return {row[0].strip("`"): row[1:] for row in cells if row and re.fullmatch(r"`[\w.]+`", row[0])}


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        yield from models_in(annotation.model_fields["root"].annotation)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from models_in(inner)


def keys_of(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, typing.Any]]:
    for name, field in model.model_fields.items():
        yield f"{above}{name}", field
        for inner in models_in(field.annotation):
            if inner not in (Governed, AdapterFile):
                yield from keys_of(inner, f"{above}{name}.")


# Each API of `apis` has the keys of `inference`.
FIELDS = {key: field for key, field in keys_of(Contract) if not key.startswith("apis.")}
BESIDE = {name for model in (Governed, Pattern) for name in model.model_fields}


def test_the_contract_page_names_every_key_and_no_other():
    documented = set(rows(page("docs/contract.md")))
    assert documented - BESIDE == set(FIELDS) - BESIDE
    assert documented >= BESIDE


@pytest.mark.parametrize("key", FIELDS)
def test_a_keys_default_is_the_one_that_the_contract_page_gives(key):
    _, default, _ = rows(page("docs/contract.md"))[key]
    field = FIELDS[key]
    given = field.get_default(call_default_factory=True)
    given = given.root if isinstance(given, RootModel) else given
    if field.is_required():
        assert default == "required"
    elif isinstance(given, bool):
        assert default == f"`{str(given).lower()}`"
    elif isinstance(given, BaseModel):
        status = getattr(given, "status", None)
        assert default == (f"status {status}" if status else "none")
    elif given and isinstance(given, float):
        assert float(default.strip("`")) == given
    elif given and isinstance(given, tuple):
        assert default == f"`{list(given)}`"
    elif given:
        assert default == f"`{given}`"
    else:
        assert default in ("none", "any", "`0`", "the first", "`case-N`")


def test_governed_numbers_are_called_governed():
    called = {key for key, cells in rows(page("docs/contract.md")).items() if cells[0].startswith("governed")}
    assert called == {key for key, field in FIELDS.items() if Governed in models_in(field.annotation)}


def test_a_case_is_documented_as_the_contract_has_it():
    documented = {key.split(".")[2] for key in FIELDS if key.startswith("inference.cases.")}
    assert documented == set(Case.model_fields)


def test_the_adapter_that_users_are_shown_is_one():
    (shown,) = re.findall(r"```python\n(.*?)```", page("docs/contract.md"), re.DOTALL)
    source = Source("sentences.py", shown)
    exchange = own.loaded(source).of(Settings(path="/say")).exchange("a", "Hello?")
    assert (exchange.path, exchange.body) == ("/say", b"Hello?")
    assert read(exchange.api, 200, b"Hello.", source) == Reply("", "Hello.")
    assert read(exchange.api, 200, b"Hel", source).problem


def test_the_contract_of_apis_that_users_are_shown_is_one(tmp_path):
    (shown,) = re.findall(r"```yaml\n(apis:.*?)```", page("docs/contract.md"), re.DOTALL)
    (tmp_path / "contract.yaml").write_text(f"apiVersion: seatrial/v1\nname: shown\n{shown}", encoding="utf-8")
    cases = [{"request": n, "expect": n} for n in range(16)]
    (tmp_path / "tokens.yaml").write_text(yaml.safe_dump(cases), encoding="utf-8")
    contract = read_contract(tmp_path)
    refuse_unaskable(contract, tmp_path / "contract.yaml")
    assert (list(contract.apis), contract.place_of()) == (["chat", "tokenize"], "apis.chat")


WHOLE_CONTRACTS = re.findall(r"```yaml\n(apiVersion: .*?)```", page("docs/contract.md"), re.DOTALL)


def test_the_large_request_that_users_are_shown_is_one(tmp_path):
    (shown,) = re.findall(r"```yaml\n(inference:\n.*?large:.*?)```", page("docs/contract.md"), re.DOTALL)
    (tmp_path / "contract.yaml").write_text(f"apiVersion: seatrial/v1\nname: shown\n{shown}", encoding="utf-8")
    cases = [{"request": n, "expect": n} for n in range(16)]
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump(cases), encoding="utf-8")
    contract = read_contract(tmp_path)
    refuse_unaskable(contract, tmp_path / "contract.yaml")
    large = contract.inference.large.in_full()
    starts = {entity["label"]: entity["start"] for entity in large.expect["entities"]}
    text = large.request["text"]
    assert starts == {
        "GIVEN_NAME": text.index("Sofia"),
        "SURNAME": text.index("Turner"),
        "CITY": text.index("Portland"),
    }


@pytest.mark.parametrize("shown", WHOLE_CONTRACTS, ids=lambda shown: yaml.safe_load(shown)["name"])
def test_each_whole_contract_that_users_are_shown_is_one(shown, tmp_path):
    (tmp_path / "contract.yaml").write_text(shown, encoding="utf-8")
    refuse_unaskable(read_contract(tmp_path), tmp_path / "contract.yaml")


def test_users_are_shown_contracts_of_one_deployment_of_several_and_of_a_database():
    first, several, database = (yaml.safe_load(shown) for shown in WHOLE_CONTRACTS)
    assert not {"workloads", "dependencies"} & set(first)
    assert len(several["workloads"]) > 1
    assert [list(kind) for kind in database["dependencies"].values()] == [["postgres"]]


def test_the_catalogue_has_every_check_with_its_name_level_and_promise():
    described = dict(re.findall(r"^### (\w+) `([\w-]+)`$", page("docs/checks.md"), re.MULTILINE))
    table = {
        cells[0]: cells
        for cells in re.findall(r"^\| (\w+) \| `([\w-]+)` \| (\w+) \| (.*?) \|", page("docs/checks.md"), re.MULTILINE)
    }
    checks = load_checks(content("conformance"))
    names = {id: check.name for id, check in checks.items()}
    assert described == names
    assert {id: (name, level) for id, name, level, _ in table.values()} == {
        id: (names[id], check.level) for id, check in checks.items()
    }
    promises = {id: "|".join(re.findall(r"`([\w.]+)`", promise)) for id, _, _, promise in table.values()}
    assert promises == {id: check.promise for id, check in checks.items()}


def test_the_readme_names_every_command_and_every_command_that_it_names_exists():
    table = set(rows(page("README.md").partition("## Commands")[2].partition("## ")[0]))
    assert table == set(commands())


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_commands_and_their_options_exist_as_they_are_shown(file):
    known = commands()
    for name, rest in re.findall(
        r"(?:^(?:    |\$ )?|`)seatrial ([a-z]+)([^`\n]*)", file.read_text(encoding="utf-8"), re.MULTILINE
    ):
        assert name in known, f"seatrial {name}"
        options = {option for parameter in known[name].params for option in parameter.opts}
        for option in re.findall(r"(?<!\S)--[a-z-]+", rest.partition("#")[0]):
            assert option in {*options, "--help"}, f"seatrial {name} {option}"


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_links_within_the_repository_lead_somewhere(file):
    for target in re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", file.read_text(encoding="utf-8")):
        if target and "://" not in target:
            assert (file.parent / target).exists(), f"{file.name}: {target}"


def test_the_architecture_names_only_files_that_exist():
    known = [f"/{file.relative_to(ROOT)}" for top in ROOT.glob("[!.]*/") for file in top.rglob("*") if file.is_file()]
    for name in re.findall(r"`([\w/-]+(?:/|\.py))`", page("docs/architecture.md")):
        assert any(f"/{name}" in file for file in known) or name == "trials/NAME.py", name


def test_the_guide_lists_the_smallest_example_whole_and_every_file_to_the_letter():
    listed = dict(
        re.findall(r"^`([\w./-]+)`\n\n```\w+\n(.*?)```$", page("docs/certify-your-own.md"), re.MULTILINE | re.DOTALL)
    )
    examples = ROOT / "examples"
    assert listed == {name: (examples / name).read_text(encoding="utf-8") for name in listed}
    hello = {str(file.relative_to(examples)) for file in (examples / "hello").rglob("*") if file.is_file()}
    assert set(listed) == hello | {"greeter/greeter.py", "greeter/contract.yaml"}


def commands() -> dict[str, click.Command]:
    return main.commands()


def test_the_check_that_contributors_are_shown_is_one(tmp_path):
    shown = re.search(r"### A check\n.*?```python\n(.*?)```", page("CONTRIBUTING.md"), re.DOTALL)
    assert shown is not None
    (tmp_path / "deleted_pod_is_gone.py").write_text(shown[1], encoding="utf-8")
    check = load_checks(tmp_path)["X1"]
    assert check.title == "A pod that was deleted is gone within a minute."
    assert [kind.__name__ for kind in check.observes().values()] == ["PodDeletion"]


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_a_picture_is_there_small_and_told_in_words(file):
    for words, path in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", file.read_text(encoding="utf-8")):
        picture = file.parent / path
        assert picture.is_file(), path
        assert picture.stat().st_size < 150_000, path
        assert len(words) > 20, path
