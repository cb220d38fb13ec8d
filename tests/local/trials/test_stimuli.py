"""What trials may do to a release, done on the embedded cluster to a chart with more in it than its subject."""

import re
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from seatrial.clock import RunClock
from seatrial.clusters.local.cluster import LocalCluster
from seatrial.content import content
from seatrial.observation import Observation
from seatrial.record import observation_from_files, observation_to_files
from seatrial.suite.judge import judge
from seatrial.suite.opening import opened
from seatrial.suite.registry import load_checks
from seatrial.suite.subject import read_subject
from seatrial.traffic.plan import OpenLoop
from seatrial.trials import concurrency, workload
from seatrial.trials.context import Injection
from seatrial.trials.sandbox import Sandbox
from seatrial.trials.trial import run_trial
from seatrial.verdict import Outcome
from seatrial.watch.ownership import bystanders
from seatrial.watch.pods import latest

pytestmark = [pytest.mark.local, pytest.mark.timeout(120)]

CHART = Path(__file__).parent / "chart"
WITHIN_S = 30.0
LASTS_S = 8.0
WINDOWS = concurrency.Windows(
    lone_cases=12, answers=50, least_for_s=1.0, patience_s=20.0, longest_s=20.0, few_for_s=1.0
)
HUNG = Injection(values={"gateway": {"greeting": "never"}})  # Ready, and answers no request


@pytest.fixture(scope="module")
def context():
    """The context of a run on a cluster of its own."""
    cluster = LocalCluster()
    cluster.up()
    try:
        with opened(
            read_subject(CHART), cluster, clock=RunClock.start(), run_id="st01", seed=1, doing=print, say=print
        ) as made:
            yield made.watching({"PodDisruptionBudget", "Job", "Node"})
    finally:
        cluster.down()


@pytest.fixture(scope="module")
def sandbox(context):
    """The chart with two pods of its gateway, for one test after the other."""
    with Sandbox(context, "stimuli") as made:
        made.release.install({}, replicas=2)
        made.workload().wait_pods(2, WITHIN_S)
        yield made


@pytest.fixture
def gateway(sandbox):
    """The workload under load, whole again before each test."""
    found = sandbox.workload()
    found.wait_pods(2, WITHIN_S)
    return found


def load(sandbox, name, for_s):
    cases = workload.cases(sandbox.context.contract)
    arrivals_s = workload.steps(0.1, for_s, 0.05)
    picks = workload.in_turn(len(arrivals_s), len(cases))
    return OpenLoop(name, sandbox.workload().service(), cases, arrivals_s, picks, timeout_s=10.0)


def greetings(sandbox):
    """What the gateway's pods were told to say, by the present generation of their template."""
    item = latest(sandbox.watch.changes(), "Deployment")["subject-gateway"]
    server = item["spec"]["template"]["spec"]["containers"][-1]
    return next(variable["value"] for variable in server["env"] if variable["name"] == "GREETING")


def test_only_the_gateways_pods_are_its_subject(sandbox, gateway):
    assert {pod.name.rsplit("-", 2)[0] for pod in gateway.pods()} == {"subject-gateway"}
    others = bystanders(sandbox.watch.changes(), sandbox.subject)
    assert {"Deployment subject-worker", "Job subject-migrate"} <= set(others.values())
    assert [pod.name.rsplit("-", 2)[0] for pod in sandbox.workload("worker").pods()] == ["subject-worker"]


def test_kinds_that_a_trial_asks_for_are_watched(sandbox):
    changes = sandbox.watch.changes()
    assert list(latest(changes, "PodDisruptionBudget")) == ["subject-gateway"]
    assert "subject-migrate" in {change.name for change in changes if change.kind == "Job"}
    assert latest(changes, "Node")


def test_an_upgrade_under_load_goes_on_after_the_call_and_loses_nothing(sandbox, gateway):
    run = sandbox.traffic.start_now(load(sandbox, "upgrade", 8.0))
    before = {pod.name for pod in gateway.pods()}
    sandbox.release.upgrade({"gateway": {"greeting": "bonjour"}}, replicas=2, wait=False)
    assert before & {pod.name for pod in gateway.pods()}
    assert gateway.wait_rolled_out(WITHIN_S)
    assert not before & {pod.name for pod in gateway.wait_pods(2, WITHIN_S)}
    rows = sandbox.traffic.collect(run)
    assert len(rows) > 100
    assert rows.right.all()


def test_a_rollback_brings_the_values_of_before_back(sandbox, gateway):
    sandbox.release.upgrade({"gateway": {"greeting": "hola"}}, replicas=2)
    sandbox.release.rollback()
    assert gateway.wait_rolled_out(WITHIN_S)
    assert greetings(sandbox) == sandbox.release.values["gateway"].get("greeting", "hello") != "hola"


def test_a_restart_replaces_every_pod(gateway):
    before = {pod.uid for pod in gateway.pods()}
    gateway.restart()
    assert gateway.wait_rolled_out(WITHIN_S)
    assert not before & {pod.uid for pod in gateway.wait_pods(2, WITHIN_S)}


def test_an_eviction_takes_a_pod_as_long_as_the_budget_allows(gateway):
    first, second = gateway.pods()
    assert gateway.evict(first).refused == ""
    assert "disruption budget" in gateway.evict(second).refused
    assert gateway.wait_gone(first, WITHIN_S) is not None


def test_no_pod_comes_to_a_cordoned_node(sandbox, gateway):
    (node,) = {pod.node for pod in gateway.pods()}
    sandbox.nodes.cordon(node)
    gateway.scale(3)

    def pending(changes):
        pods = latest(changes, "Pod").values()
        return any(not pod["spec"].get("nodeName") for pod in pods)

    assert sandbox.watch.wait(pending, WITHIN_S)
    assert len(gateway.pods()) == 2
    sandbox.nodes.uncordon(node)
    gateway.wait_pods(3, WITHIN_S)
    gateway.scale(2)


def test_what_was_seen_says_what_it_was_about(sandbox, gateway):
    seen = Observation(**sandbox.seen())
    assert str(seen.subject) == "Deployment subject-gateway"
    assert {pod.name.rsplit("-", 2)[0] for pod in seen.pods} == {"subject-gateway"}
    assert seen.timeline.gaps == ()


@pytest.mark.timeout(120)
def test_a_trial_on_a_service_that_hangs_is_stopped_in_time_and_what_it_saw_is_kept(context, tmp_path):
    """It is Ready all the while; of the 12 lone requests of the trial each would be waited for 10 s."""
    short = replace(concurrency.concurrency, lasts_s=LASTS_S, run=partial(concurrency.concurrency.run, windows=WINDOWS))
    began_s = time.monotonic()
    seen = run_trial(short, context.under("st01-hung", context.contract).injected(HUNG), {})
    took_s = time.monotonic() - began_s
    assert took_s < 12 * concurrency.LONE_WITHIN_S
    assert re.match(
        r"stopped after \d+ s, 1.5 times the \d+ s it takes: waiting for answers of load lone", seen.stopped
    )

    assert (seen.trial, len(seen.pods), seen.pod) == ("concurrency", 1, seen.pods[0].name)
    assert len(seen.ledger.of("beacon")) >= 1
    assert seen.timeline.gaps == ()
    for check in load_checks(content("conformance")).values():
        if set(check.observes().values()) == {type(seen)} and not check.unmade(context.contract):
            verdict = judge(check, context.contract, {type(seen): seen}, {})
            assert (verdict.outcome, verdict.found) == (Outcome.INCONCLUSIVE, f"it was {seen.stopped}")
    observation_to_files(tmp_path, seen)
    assert observation_from_files(tmp_path, type(seen)).stopped == seen.stopped
