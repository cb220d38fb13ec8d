"""A trial's sandbox has the contract's dependencies from the beginning, and its observation what became of them."""

import shutil
from pathlib import Path

import pytest
import yaml

from seatrial.clock import RunClock
from seatrial.errors import ClusterError
from seatrial.observation import Observation
from seatrial.record.codec import observation_from_files, observation_to_files
from seatrial.suite.opening import opened
from seatrial.suite.subject import read_subject
from seatrial.trials.sandbox import Sandbox

pytestmark = pytest.mark.local

HELLO = Path(__file__).parents[3] / "examples" / "hello"
ROUTES = [{"path": "/v1/models", "body": "a model"}]


@pytest.fixture
def context(cluster, tmp_path):
    """Called with `dependencies`: the context of a run of examples/hello that has them."""
    chart = shutil.copytree(HELLO, tmp_path / "hello")

    def make(dependencies):
        contract = yaml.safe_load((chart / "contract.yaml").read_text()) | {"dependencies": dependencies}
        (chart / "contract.yaml").write_text(yaml.safe_dump(contract))
        said = {"doing": print, "say": print}
        return opened(read_subject(chart), cluster, clock=RunClock.start(), run_id="ab12", seed=1, **said)

    return make


def test_what_was_done_to_a_dependency_is_in_the_observation_and_in_the_record(context, tmp_path):
    with context({"upstream": {"http": {"routes": ROUTES}}}) as opened, Sandbox(opened, "outage") as sandbox:
        sandbox.dependency("upstream").stall()
        sandbox.dependency("upstream").open()
        seen = Observation(**sandbox.seen())
    (upstream,) = seen.dependencies
    assert [switch.what for switch in upstream.switches] == ["stall", "open"]
    assert [counts.mode for counts in upstream.counts] == ["stall", "open", "open"]
    assert seen.marks["upstream-stall"] == upstream.switches[0].done_s < seen.marks["upstream-open"]
    assert {change.name for change in seen.timeline.of("Pod")} == {"upstream-backend", "upstream-gate"}
    assert seen.pods == ()  # of the subject there are none: it was not installed
    observation_to_files(tmp_path, seen)
    assert observation_from_files(tmp_path, Observation).dependencies == seen.dependencies


def test_a_sandbox_whose_dependency_does_not_come_up_leaves_no_namespace(context):
    cannot = {"database": {"postgres": {"user": "pg_keeper", "ready_within_s": 2}}}
    with context(cannot) as opened:
        with pytest.raises(ClusterError, match=r"dependencies\.database\.postgres: expected process PostgreSQL"):
            with Sandbox(opened, "outage"):
                pass
        namespace = opened.api.find("/api/v1/namespaces/seatrial-ab12-outage")
    assert namespace is None or namespace["status"]["phase"] == "Terminating"
