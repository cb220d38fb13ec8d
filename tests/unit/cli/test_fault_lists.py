"""`seatrial faults CHART --list`: what would be planted, and what checks of one's own lack."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner

from seatrial.cli.faults import faults
from seatrial.errors import ClusterError

GREETER = Path(__file__).parents[3] / "examples" / "greeter"
CHECK = '''"""Something holds."""
from seatrial.suite import check
from seatrial.trials.pod_deletion import NOT_DELETED, PodDeletion
from seatrial.verdict import passed

@check("X1", level="{level}"{ablation})
def something_holds(deletion: PodDeletion):
    return passed("a", "b", n=1)
'''


class Cluster:
    name, certificate, context = "local", "preflight", None
    up = down = lambda self: None


@pytest.mark.parametrize("stopped", [False, True])
def test_where_table_and_results_were_written_is_said_whatever_it_ended_with(tmp_path, monkeypatch, stopped):
    def run_rows(*_):
        if stopped:
            raise ClusterError("no node")
        return []

    monkeypatch.setattr("seatrial.cli.faults.chosen_cluster", lambda *_: Cluster())
    monkeypatch.setattr("seatrial.cli.faults.opened", lambda *_, **__: nullcontext())
    monkeypatch.setattr("seatrial.cli.faults.matrix.run_rows", run_rows)
    monkeypatch.setattr("seatrial.suite.subject.Subject.on", lambda subject, cluster: subject)
    files = ["--markdown", str(tmp_path / "m.md"), "--json", str(tmp_path / "m.json")]
    done = CliRunner().invoke(faults, [str(GREETER), *files], standalone_mode=False)
    assert isinstance(done.exception, ClusterError) == stopped
    assert done.stderr == f"wrote {tmp_path / 'm.md'}\nwrote {tmp_path / 'm.json'}\n"


def listed(tmp_path, level, ablation=""):
    (tmp_path / "holds.py").write_text(CHECK.format(level=level, ablation=ablation), encoding="utf-8")
    done = CliRunner().invoke(
        faults, [str(GREETER), "--list", "--conformance", str(tmp_path)], standalone_mode=False, catch_exceptions=False
    )
    assert done.return_value == 0
    return done


def test_a_chart_that_plants_nothing_of_its_own_has_shared_mutants_and_ablations(tmp_path):
    lines = listed(tmp_path, "SHOULD").stdout.splitlines()
    assert {line.split()[0] for line in lines} == {"chart", "ablation"}
    assert any(line.split()[1:3] == ["chart:grace-too-short", "D7"] for line in lines)


@pytest.mark.parametrize(
    ("level", "ablation", "lacking"),
    [
        ("MUST", "", "found none and 0"),
        (
            "MUST",
            ", ablation=NOT_DELETED",
            "found one and 0",
        ),
        ("SHOULD", "", None),
    ],
)
def test_a_check_of_ones_own_that_must_hold_is_named_for_want_of_proof(tmp_path, level, ablation, lacking):
    told = listed(tmp_path, level, ablation).stderr.splitlines()
    wanted = f"{tmp_path}/holds.py: expected an ablation and 3 faults for X1, which MUST hold, {lacking}; "
    assert [line.startswith(wanted) for line in told] == ([True] if lacking else [])


def test_the_ablation_of_a_check_of_ones_own_is_a_row(tmp_path):
    lines = listed(tmp_path, "SHOULD", ", ablation=NOT_DELETED").stdout.splitlines()
    assert "ablation ablation:X1                        X1           the pod is not deleted" in lines
