"""`.ci/run` on anybody's machine: with a cluster of one's own scripts, with kind, and with neither."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SUMMARY = "=== 7 passed in 1.00s ==="
# Says what it was called with, and does as told by an environment variable of its name.
PROGRAM = """\
#!/bin/sh
echo "${0##*/} $*" >> "$CALLED"
eval "$%s"
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a copy of it among programs that only say that they were called."""
    checkout, programs = tmp_path / "work" / "seatrial", tmp_path / "bin"
    shutil.copytree(REPOSITORY / ".ci", checkout / ".ci")
    for file in (checkout / ".venv/bin/pytest", *(programs / name for name in ("make", "docker", "kind", "kubectl"))):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(PROGRAM % file.name.upper())
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("CALLED", str(tmp_path / "called"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    says_so = f'echo "{SUMMARY}"'

    def go(**programs_do):
        does = {"PYTEST": f'echo "KUBECONFIG is $SEATRIAL_KIND_KUBECONFIG"; {says_so}', "MAKE": says_so} | programs_do
        ended = subprocess.run(
            ["bash", str(checkout / ".ci" / "run")], env={**os.environ, **does}, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        return ended, (tmp_path / "called").read_text().splitlines()

    return go


@pytest.fixture
def shared(tmp_path):
    """Scripts that bring a cluster up, beside the checkout."""
    folder = tmp_path / "work" / "shared" / "cluster"
    folder.mkdir(parents=True)
    for name, does in (("up", "UP=${UP:-echo /its/kubeconfig}"), ("images", ":")):
        (folder / name).write_text(f'#!/bin/sh\n{does}\necho "{name}" >> "$CALLED"\neval "${name.upper()}"\n')
        (folder / name).chmod(0o755)


def test_with_scripts_beside_the_checkout_their_cluster_is_used(run, shared):
    ended, called = run()
    assert ended.returncode == 0
    assert called == ["make check", "make test", "up", "images", "pytest -m kind --timeout 900"]
    assert "KUBECONFIG is /its/kubeconfig" in ended.stdout
    assert ended.stdout.endswith(f"{SUMMARY}\n")


@pytest.mark.parametrize(
    ("fails", "said"),
    [({"UP": "exit 1"}, "the cluster did not come up"), ({"IMAGES": "exit 1"}, "the images of dependencies are not")],
)
def test_a_cluster_that_should_be_there_and_is_not_fails_the_run(run, shared, fails, said):
    ended, called = run(**fails)
    assert (ended.returncode, said in ended.stderr) == (1, True)
    assert not any(line.startswith("pytest") for line in called)


def test_without_them_kind_makes_a_cluster(run, tmp_path):
    ended, called = run(KUBECTL='[ "$3" != get ]')
    kubeconfig = tmp_path / "home/.local/state/seatrial/kind-seatrial.kubeconfig"
    assert ended.returncode == 0, ended.stderr
    assert f"KUBECONFIG is {kubeconfig}\n" in ended.stdout
    assert ended.stdout.endswith(f"{SUMMARY}\n")
    assert any(line.startswith("kind create cluster --name seatrial --image kindest/node:v1.34.4") for line in called)
    assert any(line.startswith("kubectl apply --filename https://") for line in called)
    assert called[-1] == "pytest -m kind --timeout 900"


def test_a_cluster_of_kind_that_runs_is_used_as_it_is(run):
    ended, called = run(KIND='[ "$*" = "get clusters" ] && echo seatrial; true')
    assert ended.returncode == 0, ended.stderr
    assert not any("create" in line or "apply" in line for line in called)
    assert "kind export kubeconfig --name seatrial" in called


@pytest.mark.parametrize("broken", ["DOCKER", "KIND", "KUBECTL"])
def test_without_any_cluster_the_other_tests_decide_and_the_last_lines_are_pytests(run, broken):
    ended, called = run(**{broken: "exit 127"})
    assert ended.returncode == 0
    assert [line for line in called if line.startswith(("make", "pytest"))] == ["make check", "make test"]
    assert ended.stderr.startswith("the tests on kind are left out: they need a Docker engine, kind and kubectl")
    assert ended.stdout.endswith(f"{SUMMARY}\n")


@pytest.mark.parametrize(
    "fails",
    [{"MAKE": '[ "$1" != check ]'}, {"MAKE": '[ "$1" != test ]'}, {"PYTEST": "exit 1"}, {"KIND": "[ $1 != create ]"}],
)
def test_whatever_fails_fails_the_run(run, fails):
    assert run(**fails)[0].returncode == 1
