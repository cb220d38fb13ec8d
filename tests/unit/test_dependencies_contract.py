"""Dependencies in a contract: one kind each, names that can be used, Secrets with what the release needs."""

from copy import deepcopy

import pytest
import yaml

from seatrial.contract import read_contract
from seatrial.errors import InputError

MINIMAL = {
    "apiVersion": "seatrial/v1",
    "name": "echo",
    "inference": {"path": "/echo", "cases": {"count": 16, "request": {"n": "{i}"}, "expect": {"n": "{i}"}}},
}


@pytest.fixture
def read(tmp_path):
    def write_and_read(dependencies):
        (tmp_path / "contract.yaml").write_text(yaml.safe_dump({**deepcopy(MINIMAL), "dependencies": dependencies}))
        return read_contract(tmp_path).dependencies.root

    return write_and_read


def test_a_contract_without_dependencies_has_none(tmp_path):
    (tmp_path / "contract.yaml").write_text(yaml.safe_dump(MINIMAL))
    assert not read_contract(tmp_path).dependencies


def test_each_kind_is_told_by_its_key(read):
    found = read(
        {
            "database": {"postgres": {}},
            "models": {"s3": {"seed": "models"}},
            "upstream": {"http": {"routes": [{"path": "/v1/models"}]}},
            "extras": {"manifests": "extras.yaml"},
            "token": {"secret": {"name": "token", "values": {"TOKEN": {"env": "MY_TOKEN"}}}},
        }
    )
    assert {name: dependency.kind for name, dependency in found.items()} == {
        "database": "postgres",
        "models": "s3",
        "upstream": "http",
        "extras": "manifests",
        "token": "secret",
    }
    assert [name for name, dependency in found.items() if dependency.brought] == ["database", "models", "upstream"]


CREDENTIALS = {
    "url": "postgresql://app:secret@database:5432/app",
    "host": "database",
    "port": "5432",
    "user": "app",
    "password": "secret",
    "database": "app",
}


def test_without_keys_every_credential_is_a_key_of_the_secret(read):
    assert read({"database": {"postgres": {}}})["database"].brought.secret_data(CREDENTIALS) == CREDENTIALS


def test_keys_choose_what_the_secret_holds_and_how_it_is_written(read):
    keys = {"POSTGRES_URL": "{url}?sslmode=disable", "OWNER": "{user}"}
    database = read({"database": {"postgres": {"keys": keys}}})["database"].brought
    assert database.secret_data(CREDENTIALS) == {
        "POSTGRES_URL": "postgresql://app:secret@database:5432/app?sslmode=disable",
        "OWNER": "app",
    }


ROUTES = [{"path": "/"}]


@pytest.mark.parametrize(
    ("dependencies", "key", "said"),
    [
        (["database"], "dependencies", "expected a mapping, found ['database']"),
        ({"db": {}}, "dependencies.db", "expected one of postgres, s3, http, manifests, secret, found none"),
        ({"db": {"postgres": None}}, "dependencies.db", "found none"),
        ({"db": {"postgres": {}, "s3": {}}}, "dependencies.db", "found postgres and s3"),
        ({"db": {"postgre": {}}}, "dependencies.db.postgre", "did you mean `postgres`?"),
        ({"db": {"postgres": {"usr": "x"}}}, "dependencies.db.postgres.usr", "did you mean `user`?"),
        ({"db": {"postgres": {"port": 0}}}, "dependencies.db.postgres.port", "1 or more, found 0"),
        ({"db": {"postgres": {"service": "Db"}}}, "dependencies.db.postgres.service", "small letters"),
        (
            {"db": {"postgres": {"keys": {"A": "{urll}"}}}},
            "dependencies.db.postgres.keys",
            "{url}, {host}, {port}, {user}, {password}, {database} at most, found {urll} for A",
        ),
        (
            {"db": {"postgres": {"keys": {"A": "{"}}}},
            "dependencies.db.postgres.keys",
            "a brace itself is written twice",
        ),
        ({"m": {"s3": {"keys": {"A": "{user}"}}}}, "dependencies.m.s3.keys", "found {user} for A"),
        ({"m": {"s3": {"secret_key": "1234567"}}}, "dependencies.m.s3.secret_key", "at least 8 characters"),
        ({"up": {"http": {"routes": []}}}, "dependencies.up.http.routes", "at least one route, found none"),
        ({"up": {"http": {"routes": [{"path": "/", "status": 700}]}}}, "dependencies.up.http.routes.0.status", "700"),
        ({"k": {"secret": {"name": "x", "values": {"A": "b"}}}}, "dependencies.k.secret.values.A", "mapping"),
        (
            {"a": {"http": {"service": "b", "routes": ROUTES}}, "b": {"postgres": {}}},
            "dependencies",
            "expected Services of different names, found b of a and of b",
        ),
        (
            {"a": {"http": {"service": "b-backend", "routes": ROUTES}}, "b": {"postgres": {}}},
            "dependencies",
            "found b-backend of a and of b",
        ),
        (
            {"a": {"postgres": {"secret": "x"}}, "b": {"secret": {"name": "x", "values": {"K": {"env": "K"}}}}},
            "dependencies",
            "expected Secrets of different names, found x of a and of b",
        ),
    ],
)
def test_each_mistake_gives_one_line_that_names_key_and_remedy(read, tmp_path, dependencies, key, said):
    with pytest.raises(InputError) as refused:
        read(dependencies)
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(f"{tmp_path / 'contract.yaml'}, {key}: expected ")
    assert said in message
    assert ";" in message


@pytest.mark.parametrize("name", ["Database", "data_base", "1st", "-a", "a-", "a.b", "a" * 41, ""])
def test_a_name_that_no_pod_could_have_is_refused(read, name):
    with pytest.raises(InputError, match="small letters, digits and dashes"):
        read({name: {"postgres": {}}})


@pytest.mark.parametrize("name", ["a", "a1", "data-base", "a" * 40])
def test_a_name_that_a_pod_can_have_is_taken(read, name):
    assert set(read({name: {"postgres": {}}})) == {name}
