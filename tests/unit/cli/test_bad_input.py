"""Bad input ends with one message and status 3; never with a traceback."""

import json
import re

import pytest

from seatrial.suite.subject import read_subject

LOST = '''"""No request is lost."""
from seatrial.contract import Part, Promise
from seatrial.suite import check
from seatrial.trials.pod_deletion import PodDeletion
from seatrial.verdict import passed

class Drian(Part, Promise):
    """What no contract promises."""

@check("X1", level="MUST")
def no_request_is_lost(drain: Drian, deletion: PodDeletion):
    return passed("no loss", "none", n=1)
'''


def test_a_check_of_ones_own_that_asks_for_an_unknown_promise_ends_with_status_3(seatrial, chart, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "loss.py").write_text(LOST)
    status, told = seatrial("certify", chart(), "--conformance", folder, "--quiet")
    assert status == 3
    assert "loss.py, no_request_is_lost: expected parameter `drain` to be a promise of the contract" in told
    assert "found Drian; did you mean Drain?" in told


@pytest.mark.parametrize("status", [0, 1])
def test_a_check_of_ones_own_that_ends_the_program_decides_no_exit_status(seatrial, chart, tmp_path, status):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "loss.py").write_text(f"import sys\nsys.exit({status})\n")
    ended, told = seatrial("certify", chart(), "--conformance", folder, "--quiet")
    assert ended == 3
    assert f"loss.py: expected a check or a trial that imports, found SystemExit({status}); mend it" in told


def test_a_chart_that_can_keep_its_contract_is_a_subject(chart):
    subject = read_subject(chart(drain={"budget_s": {"value": "drain.seconds", "set": 5}}, probes={"readiness": True}))
    assert [manifest["kind"] for manifest in subject.manifests] == ["Deployment", "Service"]
    assert len(subject.digest) == 64


BUDGET = {"budget_s": 5}


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"drian": BUDGET}, "drian: expected a key of the contract, found an unknown one; did you mean `drain`?"),
        ({"chart": "../elsewhere"}, "chart: expected a chart in "),
        ({"drain": {"budget_s": {"value": "drain.secnds", "set": 5}}}, "drain.secnds"),
        ({"replicas": "replicas"}, "replicas"),
        ({"probes": {"readiness": "probes.ready"}}, "probes.ready"),
        ({"values": {"render": False}}, "chart: expected one Deployment to put on trial, found 0"),
        ({"container": "sever"}, "container: expected one of server, found sever"),
        ({"service": "{release}-web"}, "service: expected a Service named subject-web"),
        ({"probes": {"liveness": True}}, "probes.liveness: expected an HTTP livenessProbe"),
        ({"probes": {"readiness": True}, "values": {"readiness": None}}, "probes.readiness: expected a readinessProbe"),
        (
            {"rollout": {"change": {"value": "replicaCount", "set": 3}}},
            "rollout.change: expected a change that alters the pod template, found that replicaCount=3",
        ),
        ({"rollout": {"change": {"value": "slotz", "set": 3}}}, "slotz"),
        (
            {"weights": {"missing": {"readiness": {"a": 1}, "drian": {}}, "truncated": {}, "names": "x"}},
            "contract.yaml, weights.missing: ",
        ),
        (
            {"weights": {"missing": {}, "truncated": {"drain": {"secnds": 1}}, "names": "x"}},
            "values.yaml: expected a value at drain.secnds, found nothing below drain; the nearest is drain.seconds",
        ),
        ({"weights": {"missing": {}, "truncated": {}, "repaired": {"grace": {"s": 1}}, "names": "x"}}, "holds no keys"),
        ({"drain": {"budget_s": 30}}, "drain.budget_s: expected less than the grace period of 30 s, found 30"),
        ({"drain": {"budget_s": 8, "grace_s": {"value": "grace", "set": 8}}}, "grace period of 8 s, found 8"),
        (
            {"drain": BUDGET, "inference__long": {"request": "{seconds}", "expect": "{seconds}", "seconds": 6}},
            "inference.long.seconds: expected at most drain.budget_s (5), found 6",
        ),
        (
            {"autoscaling": {"min": 1, "max": 2, "cpu_percent": 50, "cpu_s_per_request": 0.1}},
            "autoscaling: expected a HorizontalPodAutoscaler",
        ),
        (
            {"autoscaling": {"min": 1, "max": 2, "cpu_percent": 50, "cpu_s_per_request": 0.1, "overlay": "hpa.yaml"}},
            "autoscaling.overlay: expected a manifest, found no hpa.yaml",
        ),
        ({"service": "{name}"}, "service: expected a name with {release} in it at most, found '{name}'"),
    ],
)
def test_a_promise_that_the_chart_cannot_keep_is_refused_by_its_key(seatrial, chart, changed, key):
    folder = chart(**changed)
    status, told = seatrial("certify", folder, "--quiet")
    assert status == 3
    assert key in told
    assert told.startswith("seatrial: ")
    assert len(told.strip().splitlines()) == 1


def test_an_autoscaler_that_cannot_scale_is_refused(seatrial, chart):
    scaling = {"min": 2, "max": 2, "cpu_percent": 50, "cpu_s_per_request": 0.1, "overlay": "hpa.yaml"}
    folder = chart(autoscaling=scaling)
    (folder / "hpa.yaml").write_text("{}")
    status, told = seatrial("certify", folder)
    assert status == 3
    assert "autoscaling.max: expected more than min (2), found 2" in told


@pytest.mark.parametrize("content", [b"a: [", b"just text", b"\xed\x00"], ids=["not YAML", "no manifest", "binary"])
def test_an_overlay_that_is_no_manifest_is_told_before_anything_is_deployed(seatrial, chart, content):
    scaling = {"min": 1, "max": 2, "cpu_percent": 50, "cpu_s_per_request": 0.1, "overlay": "hpa.yaml"}
    folder = chart(autoscaling=scaling)
    (folder / "hpa.yaml").write_bytes(content)
    status, told = seatrial("certify", folder)
    assert (status, bool(re.search(r"hpa\.yaml(, line \d+, column \d+)?: expected", told))) == (3, True)


@pytest.mark.parametrize(
    "deployment",
    ["{{ .Values.no.such.value }}", '{{ fail "set image.tag" }}', "{{ if }}", "kind: [", "just text"],
    ids=["nil", "fail", "syntax", "not YAML", "no manifest"],
)
def test_a_chart_that_does_not_render_is_refused(seatrial, chart, deployment):
    status, told = seatrial("certify", chart(deployment=deployment))
    assert status == 3
    assert "chart" in told


def test_values_that_the_charts_schema_refuses_are_told(seatrial, chart):
    folder = chart(values={"grace": "long"})
    schema = {"properties": {"grace": {"type": "integer"}}}
    (folder / "values.schema.json").write_text(json.dumps(schema))
    status, told = seatrial("certify", folder)
    assert status == 3
    assert "grace" in told


@pytest.mark.parametrize(
    ("contract", "said"),
    [
        (b"", "contract.yaml: expected a mapping of promises, found an empty file"),
        (b"- a\n", "found a list"),
        (bytes(range(256)), "contract.yaml, line 2: expected a contract in UTF-8, found the byte 0x80"),
        ("name: caf\xe9".encode("latin-1"), "line 1: expected a contract in UTF-8, found the byte 0xe9"),
        (b"a: \0", "expected a contract in YAML"),
        (b"a:\n\tb: 1\n", "contract.yaml, line 2, column 1: expected a contract in YAML"),
        (
            b"name: a\nname: b\n",
            "line 2, column 1: expected a contract in YAML, found the key name twice, first in line 1",
        ),
        (b"a: 1\n---\nb: 2\n", "expected a single document"),
        (b"a: !!python/object:os.system {}\n", "line 1, column 4: expected a contract in YAML"),
        (b"[" * 5000, "nested too deep"),
        (b"name: 2026-02-31\n", "day is out of range"),
        (b"1: 2\n", "apiVersion: expected a value, found none"),
    ],
    ids=["empty", "list", "binary", "latin-1", "NUL", "tab", "twice", "two", "tag", "deep", "date", "number"],
)
def test_a_file_that_is_no_contract_is_told_with_its_line(seatrial, chart, contract, said):
    folder = chart()
    (folder / "contract.yaml").write_bytes(contract)
    status, told = seatrial("certify", folder)
    assert (status, said in told) == (3, True), told


def test_a_folder_in_the_contracts_place_is_told(seatrial, chart):
    folder = chart()
    (folder / "contract.yaml").unlink()
    (folder / "contract.yaml").mkdir()
    status, told = seatrial("certify", folder)
    assert (status, "contract.yaml: expected a contract, found no file of this kind" in told) == (3, True)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            None,
            "values.yaml: expected a value at replicaCount, found none in it",
        ),
        (b"a: [", "values.yaml, line 1, column 5: expected the chart's values in YAML"),
        (b"\xff\xfe", "values.yaml, line 1: expected the chart's values in UTF-8"),
        (b"- a\n", "values.yaml: expected a mapping, found a list; mend the chart"),
    ],
    ids=["missing", "torn", "binary", "list"],
)
def test_values_that_are_none_are_told(seatrial, chart, values, said):
    folder = chart()
    (folder / "values.yaml").unlink()
    if values is not None:
        (folder / "values.yaml").write_bytes(values)
    status, told = seatrial("certify", folder)
    assert (status, said in told) == (3, True), told


def test_a_deployment_without_containers_is_told(seatrial, chart):
    deployment = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}}"
    status, told = seatrial("certify", chart(deployment=deployment))
    assert (status, "expected a Deployment with spec.template.spec.containers" in told) == (3, True)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "a.image.yaml: expected a recipe of an image, found No such file"),
        ({"a": "image: x"}, "a.image.yaml: expected `dockerfile`, `process` or both, found neither"),
        ({"a": "image: x\nprocess: {command: x}"}, "a.image.yaml, process.command"),
        (
            {"a": "image: x\ndockerfile: D", "b": "image: docker.io/x\ndockerfile: E"},
            "expected one recipe for each image, found a.image.yaml and b.image.yaml for x",
        ),
    ],
    ids=["missing", "empty", "wrong type", "two of one image"],
)
def test_recipes_that_are_none_are_told_before_anything_is_deployed(seatrial, chart, files, said):
    folder = chart(images=[f"{name}.image.yaml" for name in files or {"a": ""}])
    for name, text in files.items():
        (folder / f"{name}.image.yaml").write_text(text)
    status, told = seatrial("certify", folder)
    assert (status, f"{folder / 'contract.yaml'}, images: expected " in told, said in told) == (3, True, True), told


def test_a_recipe_is_found_from_the_contract_and_is_the_subjects_own(chart):
    folder = chart(images=["../shop.image.yaml"])
    (folder.parent / "shop.image.yaml").write_text("image: example/server\nprocess: {command: [serve]}\n")
    subject = read_subject(folder)
    assert subject.images == ["example/server:1"]
    assert [recipe.makes("example/server:1") for recipe in subject.recipes] == [True]
