"""Three charts of kinds that people publish, put on trial side by side on one cluster.

The others are read by `tests/unit/test_public_kinds.py`.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from seatrial.clock import RunClock
from seatrial.clusters.local.cluster import LocalCluster
from seatrial.record import observation_to_files
from seatrial.suite.opening import opened
from seatrial.suite.registry import load_trials
from seatrial.suite.subject import read_subject
from seatrial.trials import install, starts
from seatrial.trials.trial import run_trial
from tests.helpers.public_kinds import unpacked

pytestmark = [pytest.mark.local, pytest.mark.timeout(120)]

KINDS = ("behind_a_proxy", "stateful_store", "umbrella")
CASES = 3
KEY = "only-those-who-run-it-know"


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the trial of an installation saw of each."""
    cluster = LocalCluster()
    cluster.up()
    trial = load_trials()[install.Install]
    short = replace(trial, run=partial(trial.run, windows=install.Windows(cases=CASES)))

    def put_on_trial(name):
        subject = read_subject(unpacked(name, tmp_path_factory.mktemp(name))).on(cluster)
        told = {"clock": RunClock.start(), "run_id": f"pk{KINDS.index(name)}", "seed": 1, "doing": print, "say": print}
        with opened(subject, cluster, **told) as context:
            return run_trial(short, context, {})

    try:
        # The store's contract takes its key from there.
        with pytest.MonkeyPatch.context() as environment, ThreadPoolExecutor(len(KINDS)) as pool:
            environment.setenv("STORE_API_KEY", KEY)
            yield dict(zip(KINDS, pool.map(put_on_trial, KINDS), strict=True))
    finally:
        cluster.down()


@pytest.mark.parametrize("name", KINDS)
def test_each_comes_up_as_often_as_it_is_wanted_and_answers_rightly(seen, name):
    assert len(seen[name].pods) == install.REPLICAS
    for start in seen[name].starts:
        asked = seen[name].ledger.in_group(start.index).to(start.pod)
        assert len(asked.of(starts.AT_READY)) == CASES
        assert asked.of(starts.AT_READY).right.all()


def test_the_pods_of_a_stateful_set_have_its_names(seen):
    assert sorted(pod.name for pod in seen["stateful_store"].pods) == ["subject-0", "subject-1", "subject-2"]


def test_an_umbrellas_pods_are_asked_though_no_container_declares_a_port(seen):
    assert {container.get("ports") for pod in seen["umbrella"].pods for container in pod.spec["containers"]} == {None}
    assert all("readinessProbe" in pod.spec["containers"][0] for pod in seen["umbrella"].pods)


def test_a_key_from_the_environment_reaches_the_pods_and_no_file_of_the_record(seen, tmp_path):
    observed = seen["stateful_store"]
    keys = [env for pod in observed.pods for env in pod.spec["containers"][0]["env"] if env["name"] == "API_KEY"]
    assert keys == [{"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "store-key", "key": "key"}}}] * 3
    observation_to_files(tmp_path, observed)
    kept = [file.read_bytes() for file in tmp_path.iterdir()]
    assert any(b"store-key" in data for data in kept)
    assert not any(KEY.encode() in data for data in kept)


def test_a_pod_whose_proxy_is_up_before_its_server_is_asked_from_its_ready_condition_on(seen):
    """The proxy answers 502 until then. Its own readiness path says 2xx before, and decides nothing."""
    starts = seen["behind_a_proxy"].starts
    assert {start.polled for start in starts} == {False}
    assert all(start.unready for start in starts)


def test_what_an_init_container_says_is_in_the_record(seen):
    logs = {(log.container, text) for log in seen["behind_a_proxy"].logs for _, text in log.lines}
    assert ("fetch", "fetched 13 bytes") in logs
