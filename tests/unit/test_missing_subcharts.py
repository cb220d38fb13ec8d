"""A chart whose dependencies are not in its `charts/` is refused before anything else, with the command that helps."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seatrial import charts, helm
from seatrial.errors import InputError
from seatrial.suite.subject import read_subject

GREETER = Path(__file__).parents[2] / "examples" / "greeter"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"


def write(folder: Path, metadata: str) -> Path:
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: {folder.name}\nversion: 0.1.0\n{metadata}")
    (folder / "templates" / "config.yaml").write_text(CONFIG)
    return folder


@pytest.fixture
def umbrella(tmp_path):
    """It wants `cache` twice, once under another name, and `queue`; both are kept beside it."""
    write(tmp_path / "queue", "")
    write(tmp_path / "cache", "")
    wanted = "".join(
        f"  - {{name: {name}, version: 0.1.0, repository: 'file://../{name}'{more}}}\n"
        for name, more in (("cache", ""), ("cache", ", alias: second"), ("queue", ", condition: queue.enabled"))
    )
    return write(tmp_path / "umbrella", f"dependencies:\n{wanted}")


def test_what_is_missing_is_named_with_the_command_of_the_program(umbrella, monkeypatch):
    monkeypatch.setattr(helm, "available", lambda: helm.HelmProgram(Path("/usr/bin/helm")))
    shutil.copytree(umbrella.parent / "cache", umbrella / "charts" / "cache")
    with pytest.raises(InputError) as refused:
        charts.refuse_missing_subcharts(umbrella)
    assert str(refused.value) == (
        f"{umbrella}: expected its dependencies in charts/, found none for queue; run: helm dependency build {umbrella}"
    )


def test_the_command_of_the_package_brings_them(umbrella, monkeypatch):
    monkeypatch.setattr(helm, "available", helm.HelmSdk)
    with pytest.raises(InputError, match="found none for cache, queue; run: ") as refused:
        charts.refuse_missing_subcharts(umbrella)
    command = str(refused.value).partition("; run: ")[2]
    assert command.startswith(sys.executable)
    subprocess.run(command, shell=True, check=True, capture_output=True)
    charts.refuse_missing_subcharts(umbrella)
    assert len(charts.render(umbrella, release="r", namespace="n", values={})) == 4  # `cache` twice


def test_those_of_a_subchart_count_too(umbrella, tmp_path):
    above = write(tmp_path / "above", "dependencies: [{name: umbrella, version: 0.1.0, repository: 'file://../x'}]\n")
    shutil.copytree(umbrella, above / "charts" / "umbrella")
    with pytest.raises(InputError, match="charts/umbrella: expected its dependencies in charts/, found none for cache"):
        charts.refuse_missing_subcharts(above)


def test_an_older_chart_lists_them_in_a_file_of_their_own(tmp_path):
    old = write(tmp_path / "old", "")
    (old / "Chart.yaml").write_text("apiVersion: v1\nname: old\nversion: 0.1.0\n")
    (old / "requirements.yaml").write_text("dependencies: [{name: cache, version: 0.1.0, repository: 'file://../c'}]\n")
    with pytest.raises(InputError, match="found none for cache"):
        charts.refuse_missing_subcharts(old)


def test_lint_and_certify_read_it_first(tmp_path):
    chart = Path(shutil.copytree(GREETER, tmp_path / "greeter"))
    with (chart / "Chart.yaml").open("a") as metadata:
        metadata.write("\ndependencies: [{name: cache, version: 0.1.0, repository: 'https://charts.example.com'}]\n")
    with pytest.raises(InputError, match="found none for cache; run: "):
        read_subject(chart)
