"""A run writes down what it saw and how it ended; the error that stopped it is the one that is told."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from seatrial.errors import ClusterError, InputError, Terminated
from seatrial.helm import Capabilities
from seatrial.observation import Observation
from seatrial.record import RunRecord
from seatrial.suite import certify as module
from seatrial.suite import opening
from seatrial.suite.certify import certify
from seatrial.suite.check import Check
from seatrial.trials.context import RUN_LABEL
from seatrial.trials.trial import Trial
from seatrial.verdict import passed
from tests.helpers.observations import SUBJECT as WORKLOAD
from tests.helpers.observations import common, contract


@dataclass(frozen=True, slots=True)
class One(Observation):
    """What the only trial sees."""


class Told:
    """Everything that was told, in order."""

    def __init__(self):
        self.lines = []

    def plan(self, trials, left_s):
        self.lines.append(f"{trials} trials, {left_s():g} s")

    def doing(self, what):
        self.lines.append(what)

    def trial(self, ended):
        self.lines.append(f"{ended.trial.name}: {ended.reason}")

    def verdict(self, check, verdict):
        self.lines.append(f"{check.id}: {verdict.outcome}")


class Api:
    """A cluster with three namespaces: two of this run, one of another."""

    def __init__(self):
        self.deleted = []

    def get(self, path, **query):
        labels = {"mine": "ab12", "mine-again": "ab12-again", "others": "cd34"}
        return {
            "items": [{"metadata": {"name": name, "labels": {RUN_LABEL: run}}} for name, run in labels.items()],
        }

    def delete(self, path):
        self.deleted.append(path.rpartition("/")[2])


class Harness:
    """Nothing beside the subject."""

    namespace = "harness"

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def open_generator(self):
        raise NotImplementedError


def seen_one(seen: One):
    return passed("a", "b", n=1)


CHECK = Check("X1", "MUST", True, "seen_one", "", seen_one, Path("checks/x.py"))
SUBJECT = SimpleNamespace(
    contract=contract(),
    file=Path("c.yaml"),
    chart=Path("no-chart"),
    manifests=(),
    digest="ab",
    rendered_offline=lambda values: [],
    images=[],
    recipes=(),
    workload=WORKLOAD,
    workloads={"": WORKLOAD},
    capabilities=Capabilities("v1.34.0", ()),
    on=lambda cluster: SUBJECT,
)
OVERLOOKED = "local takes and does not heed: NetworkPolicy web keeps nobody out"
CLUSTER = SimpleNamespace(
    lacks=lambda manifests: [],
    overlooks=lambda manifests: ["NetworkPolicy web keeps nobody out"],
    name="local",
    certificate="preflight",
    context=None,
    kubeconfig=lambda: Path("k"),
    up=lambda: None,
    versions=lambda: {"kubernetes": "v1.34.0"},
)


@pytest.fixture
def api(monkeypatch):
    api = Api()
    monkeypatch.setattr(module, "Api", SimpleNamespace(connect=lambda *_: api))
    monkeypatch.setattr(opening, "Api", SimpleNamespace(connect=lambda *_: api))
    monkeypatch.setattr(opening, "take_in", lambda *_: None)
    monkeypatch.setattr(opening, "try_pulls", lambda *_: None)
    monkeypatch.setattr(opening, "Harness", Harness)
    return api


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Puts the subject on the one trial; gives the record and what was told, or the error that came out of it."""

    def start(apply):
        trial = Trial("one", One, (), (), False, 50, apply, 7)
        monkeypatch.setattr(module, "load_trials", lambda: {One: trial})
        told, error = Told(), None
        try:
            certify(SUBJECT, CLUSTER, {"X1": CHECK}, told, runs=tmp_path, seed=1, lanes=1, run_id="run-ab12")
        except BaseException as raised:  # noqa: BLE001 - whatever a run ends with is what is looked at
            error = raised
        return RunRecord.open(tmp_path / "run-ab12"), told.lines, error

    return start


def good(context):
    return One(**common())


def test_a_run_tells_its_forecast_first_and_then_what_happens(api, run):
    record, told, error = run(good)
    assert error is None
    assert told == ["1 trials, 7 s", "cluster local", OVERLOOKED, "images", "harness", "one: ", "X1: pass"]
    assert (record.state.status, record.state.exit_status, record.trials()) == ("finished", 0, ["one"])
    assert api.deleted == []


def test_a_trial_that_was_run_twice_is_in_the_record(api, run):
    def late_at_first(context):
        seen = good(context)
        if context.run_id.endswith("again"):
            return seen
        return replace(seen, generator=replace(seen.generator, start_lag_max_s=2.0, start_lag_p99_s=0.1))

    record, _, _ = run(late_at_first)
    first = record.first_tries()["one"]
    assert (first.start_lag_p99_s, first.start_lag_max_s) == (0.1, 2.0)
    assert first.reason == "the generator was up to 2.00 s late (p99 100.0 ms)"
    assert record.observation("one", One).generator.lag_bound_kept


def test_a_trial_that_breaks_when_run_again_is_recorded_as_both(api, run):
    def late_then_broken(context):
        if context.run_id.endswith("again"):
            raise ClusterError("no room")
        seen = good(context)
        return replace(seen, generator=replace(seen.generator, sent=0))

    record, _, _ = run(late_then_broken)
    assert record.trial_failures() == {"one": "no room"}
    assert "left 1 of 1 requests unsent" in record.first_tries()["one"].reason


STOPS = [
    (ClusterError("the node is gone"), "interrupted", None, "the node is gone"),
    (InputError("no such image"), "refused", 3, "no such image"),
    (KeyboardInterrupt(), "interrupted", None, "stopped by Ctrl-C"),
    (Terminated(), "interrupted", None, "stopped by SIGTERM"),
    (KeyError("x"), "interrupted", None, "a defect of Seatrial itself: KeyError: 'x'"),
]


@pytest.fixture(params=STOPS)
def stopped(request, monkeypatch):
    """What a run is stopped by before its first trial, and what its record says then."""

    def raises(*_):
        raise request.param[0]

    monkeypatch.setattr(opening, "take_in", raises)
    return request.param


@pytest.fixture
def stop(stopped):
    """Only what it is stopped by."""
    return stopped[0]


def reason(stop):
    return next(reason for each, _, _, reason in STOPS if each is stop)


def test_a_record_says_how_its_run_ended_and_which_checks_it_never_judged(api, stopped, run):
    record, _, _ = run(good)
    error, status, exit_status, why = stopped
    assert (record.state.status, record.state.exit_status, record.state.reason) == (status, exit_status, why)
    assert [(asked.id, asked.level, asked.source) for asked in record.unjudged()] == [("X1", "MUST", "checks/x.py")]
    assert record.exit_status([]) == (3 if isinstance(error, InputError) else 2)


def test_a_run_whose_cluster_does_not_come_up_has_a_record_that_says_so(api, run, monkeypatch):
    def refuses():
        raise ClusterError("no room for the cluster")

    monkeypatch.setattr(CLUSTER, "up", refuses)
    record, _, error = run(good)
    assert isinstance(error, ClusterError)
    assert (record.state.status, record.state.reason) == ("interrupted", "no room for the cluster")
    assert api.deleted == []


def test_a_whole_run_has_a_verdict_on_all_that_it_was_to_judge_and_the_clusters_version(api, run):
    record, _, _ = run(good)
    assert (record.is_whole, record.unjudged(), record.damage()) == (True, [], [])
    assert record.header.versions["kubernetes"] == "v1.34.0"


def test_a_run_that_is_stopped_takes_its_namespaces_with_it(api, stop, run):
    record, told, error = run(good)
    assert error is stop
    assert api.deleted == ["mine", "mine-again"]
    assert record.state.reason == reason(stop)
    assert told == ["1 trials, 7 s", "cluster local", OVERLOOKED, "images"]


@pytest.mark.parametrize("refusal", [ClusterError("no answer"), InputError("no kubeconfig")])
def test_a_cluster_that_is_gone_does_not_hide_what_stopped_the_run(api, stop, run, monkeypatch, refusal):
    def gone(*_):
        raise refusal

    monkeypatch.setattr(module.Api, "connect", gone)
    record, told, error = run(good)
    assert error is stop
    assert record.state.status in ("interrupted", "refused")
    assert record.state.reason.startswith(f"{reason(stop)}; ")
    assert str(refusal) in record.state.reason
    assert str(refusal) in told[-1]


def test_a_run_that_is_stopped_again_while_it_cleans_up_has_a_record_with_an_end(api, stop, run, monkeypatch):
    def impatient(*_, **query):
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "get", impatient)
    record, _, error = run(good)
    assert isinstance(error, KeyboardInterrupt)
    assert record.state.reason == reason(stop)


def test_a_record_keeps_the_keys_of_a_secret_and_none_of_its_values():
    secret = {"kind": "Secret", "metadata": {"name": "a"}, "data": {"token": "eA=="}, "stringData": {"more": "sesame"}}
    kept = module.without_secrets(secret)
    assert kept == {**secret, "data": {"token": "left out"}, "stringData": {"more": "left out"}}
    assert module.without_secrets({"kind": "Secret", "type": "Opaque"}) == {"kind": "Secret", "type": "Opaque"}
    other = {"kind": "ConfigMap", "data": {"a": "b"}}
    assert module.without_secrets(other) == other
