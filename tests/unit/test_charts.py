"""Charts are rendered, checked and mutated alike by the helm program and by the library."""

import json
import re
import tarfile
from pathlib import Path

import pytest
import yaml

from seatrial import charts, helm
from seatrial.chart_values import known_values
from seatrial.errors import ClusterError, InputError
from seatrial.programs import on_path
from tests.helpers.programs import why_skipped

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-settings
data:
  threshold: {{ .Values.model.threshold | quote }}
  threshold-type: {{ kindOf .Values.model.threshold }}
  braces: {{ "{{ not a template }}" | quote }}
"""
HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrate
  annotations:
    helm.sh/hook: pre-install
spec: {template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: busybox}]}}}
"""
CAPABILITIES = charts.Capabilities("v1.31.2", ("acme.dev/v1", "acme.dev/v1/Adapter"))
ASKING = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: facts}
data:
  version: {{ .Capabilities.KubeVersion.Version }}
  group: {{ .Capabilities.APIVersions.Has "acme.dev/v1" | quote }}
  kind: {{ .Capabilities.APIVersions.Has "acme.dev/v1/Adapter" | quote }}
  other: {{ .Capabilities.APIVersions.Has "acme.dev/v2" | quote }}
  upgrade: {{ .Release.IsUpgrade | quote }}
"""
SCHEMA = {"properties": {"model": {"properties": {"threshold": {"type": "number"}}}}}


@pytest.fixture(params=["program", "library"])
def any_helm(request, monkeypatch):
    """The same test, once with each way to call Helm."""
    if request.param == "program":
        program = on_path("helm")
        if why := why_skipped(program):
            pytest.skip(why)
        chosen = helm.HelmProgram(program.path)
    else:
        chosen = helm.HelmSdk()
    monkeypatch.setattr(helm, "available", lambda: chosen)


@pytest.fixture
def chart(tmp_path):
    return write_chart(tmp_path / "gateway", templates={"settings.yaml": TEMPLATE, "migrate.yaml": HOOK})


def write_chart(folder: Path, templates: dict[str, str], values: str = "model: {threshold: 0.5, labels: {}}\n") -> Path:
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: gateway, version: 1.2.3}\n")
    (folder / "values.yaml").write_text(values)
    (folder / "values.schema.json").write_text(json.dumps(SCHEMA))
    (folder / "templates" / "NOTES.txt").write_text("Installed.\n")
    for name, text in templates.items():
        (folder / "templates" / name).write_text(text)
    return folder


def rendered(chart: Path, values=None) -> list[dict]:
    return charts.render(chart, release="r", namespace="n", values=values or {})


def named(manifests: list[dict], kind: str) -> dict:
    [found] = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


@pytest.mark.usefixtures("any_helm")
class TestRender:
    def test_all_manifests_with_hooks_and_without_notes(self, chart):
        assert [(manifest["kind"], manifest["metadata"]["name"]) for manifest in rendered(chart)] == [
            ("ConfigMap", "r-settings"),
            ("Job", "r-migrate"),
        ]

    def test_given_values_lie_over_the_charts_own(self, chart):
        assert named(rendered(chart, {"model": {"threshold": 0.75}}), "ConfigMap")["data"]["threshold"] == "0.75"

    def test_templates_see_the_capabilities_that_are_given(self, tmp_path):
        chart = write_chart(tmp_path / "asking", {"facts.yaml": ASKING})
        of = {"release": "r", "namespace": "n", "values": {}, "capabilities": CAPABILITIES}
        facts = {"version": "v1.31.2", "group": "true", "kind": "true", "other": "false", "upgrade": "false"}
        assert named(charts.render(chart, **of), "ConfigMap")["data"] == facts
        assert named(charts.render(chart, upgrade=True, **of), "ConfigMap")["data"] == {**facts, "upgrade": "true"}

    def test_numbers_stay_numbers(self, chart):
        assert (
            named(rendered(chart, {"model": {"threshold": 0.75}}), "ConfigMap")["data"]["threshold-type"] == "float64"
        )

    def test_a_value_against_the_schema_is_refused_with_helms_message(self, chart):
        with pytest.raises(InputError, match="got string, want number"):
            rendered(chart, {"model": {"threshold": "high"}})

    def test_a_chart_that_does_not_render_is_refused_with_helms_message(self, tmp_path):
        broken = write_chart(tmp_path / "broken", {"x.yaml": '{{ required "set model.name" .Values.model.name }}'})
        with pytest.raises(InputError, match=r"set model\.name"):
            rendered(broken)

    def test_a_missing_chart_is_refused(self, tmp_path):
        with pytest.raises(InputError, match="nowhere"):
            rendered(tmp_path / "nowhere")

    def test_an_edited_chart_is_read_again(self, chart):
        rendered(chart)
        (chart / "values.yaml").write_text("model: {threshold: 0.9, labels: {}}\n")
        assert named(rendered(chart), "ConfigMap")["data"]["threshold"] == "0.9"

    @pytest.mark.parametrize(
        ("scalar", "meant"),
        [("2026-01-31", "2026-01-31"), ("22:22", "22:22"), ("1e3", 1000.0), ("0644", 420), ("'5'", "5"), ("on", True)],
    )
    def test_scalars_are_read_as_kubernetes_reads_them(self, tmp_path, scalar, meant):
        template = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata: {{x: {scalar}}}\n"
        assert named(rendered(write_chart(tmp_path / "c", {"x.yaml": template})), "ConfigMap")["data"]["x"] == meant


@pytest.mark.usefixtures("any_helm")
class TestLint:
    def test_a_missing_icon_is_only_a_remark(self, chart):
        assert {"info"} == {finding.severity for finding in charts.lint(chart, values={})}

    def test_a_broken_template_is_an_error(self, chart):
        (chart / "templates" / "x.yaml").write_text("{{ .Values.model.threshold")
        assert any(found.severity == "error" and "unclosed action" in found.message for found in lint(chart))

    def test_no_chart_is_refused(self, tmp_path):
        with pytest.raises(InputError, match=r"Chart\.yaml"):
            charts.lint(tmp_path, values={})


@pytest.mark.usefixtures("any_helm")
@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("kind: ConfigMap\nmetadata: {name: x}\ndata: {a: }}\n", "broken.yaml"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\na: b: c\n", "line 4"),
        ("{{ .Values.none.at.all }}", "broken.yaml:1"),
        ("{{ unknown }}", "broken.yaml:1"),
        ("greeting: hello\n", "found {'greeting': 'hello'}; mend gateway/templates/broken.yaml"),
    ],
)
def test_a_template_that_is_broken_is_named(tmp_path, template, said):
    """And its line, whichever Helm renders it; a sound template before it does not hide which."""
    chart = write_chart(tmp_path / "gateway", {"a.yaml": TEMPLATE, "broken.yaml": template})
    with pytest.raises(InputError) as refused:
        rendered(chart)
    assert "gateway/templates/broken.yaml" in str(refused.value)
    assert said in str(refused.value)
    assert "unicode string" not in str(refused.value)


def test_a_comment_of_a_manifest_is_no_template():
    text = "kind: A\nmetadata:\n  name: a\n  # Source: b\n  annotations:\n    b: |\n      ---\n      # Source: c\n"
    assert charts.read_manifests(text, Path("x"))[0]["metadata"]["annotations"]["b"] == "---\n# Source: c\n"


def lint(chart: Path) -> list[helm.Finding]:
    return charts.lint(chart, values={})


def mutated(chart: Path, patch, folder: Path) -> Path:
    into, of = folder / "mutant", {"release": "r", "namespace": "n", "values": {}, "upgrade": False}
    return charts.patched(chart, patch, into=into, capabilities=CAPABILITIES, **of)


@pytest.mark.usefixtures("any_helm")
class TestPatched:
    def test_the_mutant_renders_the_patched_manifests_and_nothing_else_changes(self, chart, tmp_path):
        def raise_threshold(manifests):
            named(manifests, "ConfigMap")["data"]["threshold"] = "1.0"
            return manifests

        mutant = mutated(chart, raise_threshold, tmp_path)
        assert rendered(mutant) == raise_threshold(rendered(chart))

    def test_hooks_stay_hooks(self, chart, tmp_path):
        mutant = mutated(chart, lambda same: same, tmp_path)
        assert named(rendered(mutant), "Job")["metadata"]["annotations"] == {"helm.sh/hook": "pre-install"}

    def test_the_mutant_refuses_what_the_chart_refuses(self, chart, tmp_path):
        mutant = mutated(chart, lambda same: same, tmp_path)
        with pytest.raises(InputError, match="want number"):
            rendered(mutant, {"model": {"threshold": "high"}})


@pytest.mark.usefixtures("any_helm")
class TestWithoutACluster:
    def test_a_kubeconfig_that_is_not_there_is_the_clusters_fault(self, chart, tmp_path):
        with pytest.raises(ClusterError, match="kubeconfig"):
            charts.install(
                chart,
                release="r",
                target=charts.Target(tmp_path / "no-kubeconfig", None, "n"),
                values={},
                timeout_s=5,
                wait=False,
            )

    def test_a_wrong_value_is_the_authors_fault_even_then(self, chart, tmp_path):
        with pytest.raises(InputError, match="want number"):
            charts.install(
                chart,
                release="r",
                target=charts.Target(tmp_path / "no-kubeconfig", None, "n"),
                values={"model": {"threshold": "high"}},
                timeout_s=5,
                wait=False,
            )


@pytest.mark.usefixtures("any_helm")
def test_helm_names_its_version():
    assert re.match(r"v[34]\.\d+", helm.available().version())


class TestValueAt:
    def test_a_nested_value(self):
        assert charts.value_at({"model": {"replicas": 2}}, "model.replicas") == 2

    def test_an_escaped_dot_belongs_to_the_key(self):
        assert charts.value_at({"selector": {"nvidia.com/gpu": "yes"}}, r"selector.nvidia\.com/gpu") == "yes"

    def test_a_missing_path_names_the_nearest(self):
        with pytest.raises(InputError, match=r"nearest is model\.replicas"):
            charts.value_at({"model": {"replicas": 2}}, "model.replica")


class TestLists:
    """Helm installs the items of a List as objects of their own, and so they are judged."""

    def test_items_stand_in_the_place_of_their_list(self):
        text = (
            "kind: Service\nmetadata: {name: a}\n---\nkind: List\nitems:\n- kind: ConfigMap\n  metadata: {name: b}\n"
            "---\nkind: SecretList\nitems: []\n"
        )
        found = charts.read_manifests(text, Path("chart"))
        assert [(manifest["kind"], manifest["metadata"]["name"]) for manifest in found] == [
            ("Service", "a"),
            ("ConfigMap", "b"),
        ]

    def test_an_item_without_a_name_is_refused_as_any_object_is(self):
        with pytest.raises(InputError, match=r"expected manifests with kind and metadata\.name"):
            charts.read_manifests("kind: List\nitems: [{kind: ConfigMap}]", Path("chart"))


class TestSubcharts:
    """Values of a subchart lie below its name or its aliases in those of the chart that has it."""

    @pytest.fixture
    def umbrella(self, tmp_path):
        def write(folder, name, values, dependencies=()):
            folder.mkdir(parents=True)
            metadata = {"apiVersion": "v2", "name": name, "version": "1.0.0", "dependencies": list(dependencies)}
            (folder / "Chart.yaml").write_text(yaml.safe_dump(metadata))
            (folder / "values.yaml").write_text(yaml.safe_dump(values))
            return folder

        chart = write(
            tmp_path / "umbrella",
            "umbrella",
            {"engine": {"slots": 8}},
            [{"name": "engine", "version": "1"}, {"name": "db", "alias": "users"}, {"name": "db", "alias": "orders"}],
        )
        write(chart / "charts" / "engine", "engine", {"slots": 4, "replicaCount": 1})
        packed = write(tmp_path / "db", "db", {"size": 1})
        with tarfile.open(chart / "charts" / "db-1.0.0.tgz", "w:gz") as archive:
            archive.add(packed, "db")
        return chart

    def test_what_the_chart_above_says_goes_first(self, umbrella):
        engine, database = {"slots": 8, "replicaCount": 1}, {"size": 1}
        assert known_values(umbrella) == {"engine": engine, "users": database, "orders": database}

    @pytest.mark.parametrize("path", ["engine.replicaCount", "users.size", "orders.size"])
    def test_each_can_be_given(self, umbrella, path):
        name, key = path.split(".")
        assert charts.with_value(umbrella, {}, path, 3) == {name: {key: 3}}

    @pytest.mark.parametrize(("path", "nearest"), [("engine.slotz", "engine.slots"), ("db.size", "")])
    def test_what_none_of_them_has_is_refused(self, umbrella, path, nearest):
        with pytest.raises(InputError, match=f"expected a value at {path}, found nothing below .*{nearest}"):
            charts.with_value(umbrella, {}, path, 3)

    def test_a_packed_chart_that_is_none_is_refused(self, umbrella):
        (umbrella / "charts" / "db-1.0.0.tgz").write_text("none")
        with pytest.raises(InputError, match=r"db-1\.0\.0\.tgz: expected a packed chart, found .*; pack it again"):
            known_values(umbrella)


class TestWithValue:
    def test_it_is_laid_over_what_was_given_before(self, chart):
        given = {"model": {"threshold": 0.1}}
        assert charts.with_value(chart, given, "model.labels.tier", "gold") == {
            "model": {"threshold": 0.1, "labels": {"tier": "gold"}}
        }

    def test_what_was_given_is_left_as_it_was(self, chart):
        given = {"model": {"threshold": 0.1}}
        charts.with_value(chart, given, "model.threshold", 0.2)
        assert given == {"model": {"threshold": 0.1}}

    def test_a_path_the_chart_does_not_know_is_refused(self, chart):
        with pytest.raises(InputError, match=r"nearest is model\.threshold"):
            charts.with_value(chart, {}, "model.treshold", 0.2)

    def test_a_path_below_a_number_is_refused(self, chart):
        with pytest.raises(InputError, match=r"model\.threshold is 0\.5 and holds no keys"):
            charts.with_value(chart, {}, "model.threshold.low", 0.2)
