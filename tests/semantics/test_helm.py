"""Releases: hooks, waiting, who owns a field, going back.

Source: Helm, "Chart Hooks"; "helm upgrade". Run with the library, which is Helm 4 and applies server-side.
"""

import json
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from seatrial import charts, helm
from seatrial.errors import ClusterError
from semantics.kube import Kube, Refused, condition, eventually
from semantics.workload import Witness, probe

READY = {"readinessProbe": probe("ready")}


@dataclass(frozen=True)
class Release:
    """A chart of these manifests, as a release of a namespace."""

    kube: Kube
    name: str
    folder: Path
    manifests: tuple[dict[str, Any], ...]

    def install(self, **how: Any) -> charts.Revision:
        return charts.install(self.chart(), **self.common(), values={}, **{"timeout_s": 60, "wait": False, **how})

    def upgrade(self, *manifests: dict[str, Any], **how: Any) -> charts.Revision:
        chart = replace(self, manifests=manifests).chart()
        return charts.upgrade(chart, **self.common(), values={}, **{"timeout_s": 60, "wait": False, **how})

    def rollback(self) -> charts.Revision:
        return charts.rollback(**self.common(), timeout_s=60, wait=False)

    def uninstall(self) -> None:
        charts.uninstall(**self.common(), timeout_s=60, wait=True)

    def history(self) -> list[str]:
        return [revision.status for revision in charts.history(**self.common())]

    def common(self) -> dict[str, Any]:
        target = charts.Target(self.kube.kubeconfig, self.kube.context, self.kube.namespace)
        return {"release": self.name, "target": target}

    def chart(self) -> Path:
        (self.folder / "templates").mkdir(parents=True, exist_ok=True)
        (self.folder / "Chart.yaml").write_text(json.dumps({"apiVersion": "v2", "name": "made", "version": "0.1.0"}))
        for old in (self.folder / "templates").iterdir():
            old.unlink()
        for number, manifest in enumerate(self.manifests):
            (self.folder / "templates" / f"{number}.yaml").write_text(json.dumps(manifest))
        return self.folder


@pytest.fixture
def release(kube, tmp_path, monkeypatch):
    library = helm.HelmSdk()
    monkeypatch.setattr(helm, "available", lambda: library)

    def made(*manifests: dict[str, Any]) -> Release:
        return Release(kube, f"r-{uuid.uuid4().hex[:8]}", tmp_path / "made", manifests)

    return made


def settings(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def hook(witness: Witness, name: str, when: str, code: str = "pass", **more: str) -> dict:
    notes = {"helm.sh/hook": when, **{f"helm.sh/hook-{key}": value for key, value in more.items()}}
    template = {"spec": {"restartPolicy": "Never", "containers": [witness.container(code, name=name)]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": notes},
        "spec": {"backoffLimit": 0, "template": template},
    }


def deployment(witness: Witness, name: str, code: str, **how) -> dict:
    return {"apiVersion": "apps/v1", **witness.deployment(name, code, **how)}


def started(witness: Witness, kube: Kube, container: str) -> list[float]:
    """When the containers of that name started, whichever pods they were in."""
    log = [json.loads(line) for line in witness.kube.log("witness").splitlines() if line.startswith("{")]
    mine = [said for said in log if said["namespace"] == kube.namespace and said["container"] == container]
    return [said["at"] for said in mine if said["event"] == "started"]


class TestHooks:
    def test_run_by_weight_before_the_manifests(self, release, kube, witness):
        release(
            hook(witness, "late", "pre-install", weight="5"),
            hook(witness, "early", "pre-install", "time.sleep(1)", weight="-5"),
            hook(witness, "after", "post-install"),
            deployment(witness, "served", "serve()"),
        ).install()
        early, late, after = (started(witness, kube, name)[0] for name in ("early", "late", "after"))
        assert early + 1 < late < after
        served = eventually(lambda: started(witness, kube, "main"), within_s=60)[0]
        assert late < served

    def test_a_failing_one_fails_the_release_and_keeps_the_manifests_out(self, release, kube, witness):
        failing = release(hook(witness, "migrate", "pre-install", "sys.exit(3)"), settings("never-made"))
        with pytest.raises(charts.ReleaseFailed, match="pre-install"):
            failing.install()
        assert failing.history() == ["failed"]
        assert kube.find("ConfigMap", "never-made") is None
        assert condition(kube.get("Job", "migrate"), "Failed")["reason"] == "BackoffLimitExceeded"

    def test_one_that_succeeded_is_deleted_if_it_says_so(self, release, kube, witness):
        policy = {"delete-policy": "hook-succeeded"}
        release(hook(witness, "tidy", "pre-install", **policy), hook(witness, "kept", "pre-install")).install()
        assert started(witness, kube, "tidy")
        assert kube.find("Job", "tidy") is None
        assert kube.find("Job", "kept") is not None

    def test_the_one_of_the_last_upgrade_is_replaced(self, release, kube, witness):
        again = hook(witness, "again", "pre-install,pre-upgrade")
        made = release(again)
        made.install()
        before = kube.get("Job", "again")["metadata"]["uid"]
        made.upgrade(again)
        assert kube.get("Job", "again")["metadata"]["uid"] != before
        assert len(started(witness, kube, "again")) == 2

    def test_a_failing_upgrade_hook_leaves_the_release_as_it_was(self, release, kube, witness):
        made = release(settings("colour", is_="blue"))
        made.install()
        with pytest.raises(charts.ReleaseFailed, match="pre-upgrade"):
            made.upgrade(settings("colour", is_="red"), hook(witness, "bad", "pre-upgrade", "sys.exit(3)"))
        assert kube.get("ConfigMap", "colour")["data"] == {"is_": "blue"}
        assert made.history() == ["deployed", "failed"]


class TestWaiting:
    def test_install_returns_once_the_pods_are_ready(self, release, kube, witness):
        release(deployment(witness, "slow", "serve(ready='503x2 200')", **READY)).install(wait=True)
        assert kube.get("Deployment", "slow")["status"]["availableReplicas"] == 1

    def test_without_waiting_it_returns_before(self, release, kube, witness):
        release(deployment(witness, "unawaited", "serve(ready='503')", **READY)).install()
        assert not kube.get("Deployment", "unawaited")["status"].get("availableReplicas")

    def test_what_is_not_ready_in_time_fails_the_release(self, release, witness):
        never = release(deployment(witness, "never", "serve(ready='503')", **READY))
        with pytest.raises(charts.ReleaseFailed, match="never"):
            never.install(wait=True, timeout_s=5)
        assert never.history() == ["failed"]


class TestUpgrade:
    def test_what_is_no_longer_rendered_is_removed(self, release, kube):
        made = release(settings("stays"), settings("goes"))
        made.install()
        made.upgrade(settings("stays"))
        assert kube.find("ConfigMap", "goes") is None
        assert kube.find("ConfigMap", "stays") is not None

    def test_unless_it_is_to_be_kept(self, release, kube):
        kept = settings("heirloom")
        kept["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
        made = release(kept)
        made.install()
        made.upgrade(settings("other"))
        assert kube.find("ConfigMap", "heirloom") is not None

    def test_rolling_back_is_a_revision_with_the_old_manifests(self, release, kube):
        made = release(settings("shade", is_="blue"))
        made.install()
        made.upgrade(settings("shade", is_="red"))
        assert made.rollback().revision == 3
        assert kube.get("ConfigMap", "shade")["data"] == {"is_": "blue"}
        assert made.history() == ["superseded", "superseded", "deployed"]

    def test_the_object_of_another_release_is_not_taken(self, release, kube):
        kube.create(settings("foreign"))
        with pytest.raises(ClusterError, match="foreign"):
            release(settings("foreign")).install()

    def test_uninstall_removes_all(self, release, kube, witness):
        made = release(settings("all-of-it"), deployment(witness, "all-of-it", "on_sigterm(0); serve()"))
        made.install()
        made.uninstall()
        assert kube.find("ConfigMap", "all-of-it") is None
        assert kube.find("Deployment", "all-of-it") is None
        with pytest.raises(ClusterError, match="not found"):
            made.history()


class TestOwnership:
    def test_replicas_that_were_scaled_make_the_next_upgrade_fail(self, release, kube, witness):
        rendered = deployment(witness, "contested", "serve()", replicas=1)
        made = release(rendered)
        made.install()
        kube.patch("Deployment", "contested", {"spec": {"replicas": 2}}, subresource="scale", fieldManager="kubectl")
        with pytest.raises(charts.ReleaseFailed, match=r'conflict with "kubectl" with subresource "scale"'):
            made.upgrade({**rendered, "metadata": {**rendered["metadata"], "labels": {"version": "2"}}})

    def test_replicas_that_are_not_rendered_stay_as_scaled(self, release, kube, witness):
        rendered = deployment(witness, "left-alone", "serve()", replicas=None)
        made = release(rendered)
        made.install()
        kube.scale("left-alone", 0)
        made.upgrade({**rendered, "metadata": {**rendered["metadata"], "labels": {"version": "2"}}})
        assert kube.get("Deployment", "left-alone")["spec"]["replicas"] == 0

    def test_the_manifests_belong_to_helm(self, release, kube):
        release(settings("branded", a="1")).install()
        metadata = kube.get("ConfigMap", "branded")["metadata"]
        assert metadata["annotations"]["meta.helm.sh/release-namespace"] == kube.namespace
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        assert [(entry["manager"], entry["operation"]) for entry in metadata["managedFields"]] == [("helm", "Apply")]


def test_an_unknown_field_in_a_chart_is_refused(release, kube, witness):
    wrong = deployment(witness, "typo", "serve()")
    wrong["spec"]["replicsa"] = 2
    with pytest.raises(ClusterError, match="replicsa"):
        release(wrong).install()
    with pytest.raises(Refused):
        kube.get("Deployment", "typo")
