"""Eviction and disruption budgets.

Source: Kubernetes, "API-initiated Eviction"; "Specifying a Disruption Budget for your Application".
"""

import pytest

from semantics.kube import Kube, Refused, eventually, is_true, recording
from semantics.workload import probe

READY = {"readinessProbe": probe("ready")}
DEPLOYMENTS = ("guarded", "relative", "watched-twice", "full", "free")
SERVE = "on_sigterm(0); serve(ready='200')"


def budget(name: str, app: str, **spec) -> dict:
    return {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": app}}, **spec},
    }


def pods(kube: Kube, app: str) -> list[str]:
    found = kube.all("Pod", labelSelector=f"app={app}")
    return sorted(pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"])


@pytest.fixture(scope="module")
def budgets(kube, witness):
    for name in DEPLOYMENTS:
        kube.create(witness.deployment(name, SERVE, replicas=2, **READY))
    kube.create(witness.pod("sick", "serve(ready='503')", **READY))
    kube.create(budget("guarded", "guarded", minAvailable=1))
    kube.create(budget("relative", "relative", maxUnavailable="50%"))
    kube.create(budget("one", "watched-twice", minAvailable=1))
    kube.create(budget("two", "watched-twice", minAvailable=1))
    kube.create(budget("full", "full", minAvailable=2))
    kube.create(budget("sick", "sick", minAvailable=1))
    for name in DEPLOYMENTS:
        eventually(lambda name=name: kube.get("Deployment", name)["status"].get("availableReplicas") == 2, within_s=60)
    for name in ("guarded", "relative"):
        eventually(lambda name=name: kube.get("PodDisruptionBudget", name)["status"]["disruptionsAllowed"] == 1)
    eventually(lambda: kube.get("Pod", "sick")["status"]["phase"] == "Running")
    return kube


def test_the_status_counts_what_may_go(budgets):
    status = budgets.get("PodDisruptionBudget", "guarded")["status"]
    assert {name: status[name] for name in ("currentHealthy", "desiredHealthy", "expectedPods")} == {
        "currentHealthy": 2,
        "desiredHealthy": 1,
        "expectedPods": 2,
    }


def test_a_percentage_is_of_the_replicas_wanted(budgets):
    assert budgets.get("PodDisruptionBudget", "relative")["status"]["desiredHealthy"] == 1


def test_without_a_budget_any_pod_may_be_evicted(budgets):
    for pod in pods(budgets, "free"):
        assert budgets.evict(pod)["status"] == "Success"


def test_eviction_is_a_graceful_deletion(budgets, witness):
    victim, other = pods(budgets, "guarded")
    budgets.evict(victim)
    with pytest.raises(Refused) as refusal:
        budgets.evict(other)
    assert refusal.value.code == 429
    assert refusal.value.reason == "TooManyRequests"
    assert [cause["reason"] for cause in refusal.value.details["causes"]] == ["DisruptionBudget"]
    eventually(lambda: witness.heard(budgets.namespace, victim, "sigterm"))


def test_once_the_replacement_is_ready_another_may_go(budgets):
    victim = pods(budgets, "relative")[0]
    budgets.evict(victim)
    eventually(lambda: budgets.get("PodDisruptionBudget", "relative")["status"]["disruptionsAllowed"] == 0)
    eventually(lambda: budgets.get("PodDisruptionBudget", "relative")["status"]["disruptionsAllowed"] == 1)
    assert budgets.evict(pods(budgets, "relative")[0])["status"] == "Success"


def test_two_budgets_on_one_pod_are_an_error(budgets):
    with pytest.raises(Refused, match="more than one PodDisruptionBudget") as refusal:
        budgets.evict(pods(budgets, "watched-twice")[0])
    assert refusal.value.code == 500


def test_what_eviction_may_not_deletion_may(budgets):
    victim = pods(budgets, "full")[0]
    with pytest.raises(Refused):
        budgets.evict(victim)
    with recording(budgets, "PodDisruptionBudget") as seen:
        budgets.delete("Pod", victim)
        eventually(lambda: 1 in [change.object["status"]["currentHealthy"] for change in seen.of("full")])


def test_an_unready_pod_is_held_while_its_budget_is_not_met(budgets):
    assert not is_true(budgets.get("Pod", "sick"), "Ready")
    with pytest.raises(Refused) as refusal:
        budgets.evict("sick")
    assert refusal.value.code == 429


def test_a_dry_run_evicts_nothing(budgets):
    pod = pods(budgets, "free")[0]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    headers = {"Content-Type": "application/json"}
    budgets.ask("POST", budgets.path("Pod", pod, "eviction"), eviction, headers=headers, params={"dryRun": "All"})
    assert pod in pods(budgets, "free")


def test_a_pod_that_is_not_there_cannot_be_evicted(budgets):
    with pytest.raises(Refused) as refusal:
        budgets.evict("nobody")
    assert refusal.value.code == 404
