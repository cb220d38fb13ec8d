"""What is said of a dependency that does not come up, or that cannot be brought here at all."""

import pytest

from seatrial.dependencies import postgres
from seatrial.errors import ClusterError, InputError

pytestmark = pytest.mark.local


def test_a_server_that_does_not_come_up_is_told_with_the_end_of_its_log(sandbox, tmp_path):
    """PostgreSQL keeps names with pg_ for itself."""
    with sandbox(tmp_path, {"database": {"postgres": {"user": "pg_keeper", "ready_within_s": 4}}}) as made:
        with pytest.raises(ClusterError) as refused:
            made.dependencies.bring()
    said = str(refused.value)
    assert said.startswith(
        f"{tmp_path / 'contract.yaml'}, dependencies.database.postgres: expected process PostgreSQL 1"
    )
    assert "to answer within 4 s, found database-backend: server " in said
    assert 'its log ends: initdb ended with 1: / initdb: error: superuser name "pg_keeper" is disallowed' in said
    assert said.endswith("mend what it says, or raise ready_within_s")


def test_sql_that_the_database_refuses_is_the_contracts_mistake(sandbox, tmp_path):
    (tmp_path / "seed.sql").write_text("CREATE TABLE boats (name text);\nINSERT INTO ships VALUES ('Vasa');\n")
    with sandbox(tmp_path, {"database": {"postgres": {"seed": "seed.sql"}}}) as made:
        with pytest.raises(InputError) as refused:
            made.dependencies.bring()
    said = str(refused.value)
    assert said.startswith(
        f"{tmp_path}/contract.yaml, dependencies.database.postgres.seed: expected SQL that the database takes"
    )
    assert 'relation "ships" does not exist' in said


def test_a_kind_of_the_whole_cluster_has_to_be_there_already(sandbox, tmp_path):
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {}}}\n"
    (tmp_path / "extras.yaml").write_text(namespace.format("nobody-made-this"))
    with sandbox(tmp_path, {"extras": {"manifests": "extras.yaml"}}) as made:
        with pytest.raises(
            InputError, match=r"dependencies.extras.manifests: expected Namespace nobody-made-this in the"
        ):
            made.dependencies.bring()
        (tmp_path / "extras.yaml").write_text(namespace.format("kube-system"))
        made.dependencies.bring()


def test_a_name_that_is_none_of_the_contracts_is_refused(sandbox, tmp_path):
    with sandbox(tmp_path, {}) as made:
        made.dependencies.bring()
        with pytest.raises(InputError, match=r"dependencies.database: expected one that Seatrial brings \(none\)"):
            made.dependencies["database"]


def test_a_program_that_is_no_server_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected a PostgreSQL server, found"):
        postgres.version_of(tmp_path / "postgres")
