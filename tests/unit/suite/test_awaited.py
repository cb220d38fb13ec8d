"""Objects that pods wait for and nothing makes are named before anything is deployed."""

import pytest
from click.testing import CliRunner

from seatrial.cli.lint import lint
from seatrial.suite.awaited import awaited
from seatrial.suite.subject import read_subject
from tests.helpers.public_kinds import NAMES, unpacked

POD = "          image: {{ .Values.image }}\n"


def waiting(greeter, container="", pod=""):
    """What is said of the greeter with lines more in its container, and in its pod."""
    template = greeter / "templates" / "greeter.yaml"
    text = template.read_text()
    assert POD in text
    text = text.replace(POD, f"{POD}{container}").replace("      containers:\n", f"{pod}      containers:\n")
    template.write_text(text)
    return [*awaited(read_subject(greeter))]


@pytest.mark.parametrize(
    ("container", "pod", "kind"),
    [
        ("          envFrom: [{secretRef: {name: made}}]\n", "", "Secret"),
        ("          envFrom: [{configMapRef: {name: made}}]\n", "", "ConfigMap"),
        ("", "      serviceAccountName: made\n", "ServiceAccount"),
    ],
)
def test_what_a_pod_names_is_said_unless_the_chart_makes_it(greeter, container, pod, kind):
    assert waiting(greeter, container, pod) == [f"Deployment subject waits for {kind} made"]
    (greeter / "templates" / "made.yaml").write_text(f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: made}}\n")
    assert [*awaited(read_subject(greeter))] == []


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        ("secret: {secretName: a}", ["Deployment subject waits for Secret a"]),
        ("secret: {secretName: a, optional: true}", []),
        ("configMap: {name: a}", ["Deployment subject waits for ConfigMap a"]),
        ("configMap: {name: kube-root-ca.crt}", []),
        ("persistentVolumeClaim: {claimName: a}", ["Deployment subject waits for PersistentVolumeClaim a"]),
        ("projected: {sources: [{secret: {name: a}}]}", ["Deployment subject waits for Secret a"]),
    ],
)
def test_volumes_name_such_objects_too(greeter, volume, said):
    template = greeter / "templates" / "greeter.yaml"
    text = template.read_text()
    assert text.count("      volumes:\n") == 1
    template.write_text(text.replace("      volumes:\n", f"      volumes:\n        - {{name: more, {volume}}}\n"))
    assert [*awaited(read_subject(greeter))] == said


def test_dependencies_of_the_contract_make_it(greeter):
    container = (
        "          envFrom: [{secretRef: {name: key}}, {secretRef: {name: db}}, {configMapRef: {name: extra}}]\n"
    )
    assert len(waiting(greeter, container)) == 3
    (greeter / "extra.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n")
    with (greeter / "contract.yaml").open("a") as contract:
        contract.write(
            "\ndependencies:\n  db: {postgres: {}}\n  more: {manifests: extra.yaml}\n"
            "  key: {secret: {name: key, values: {a: {env: KEY}}}}\n"
        )
    assert [*awaited(read_subject(greeter))] == []


def test_lint_warns_of_them_all_at_once_with_what_to_do(greeter):
    waiting(greeter, "          envFrom: [{secretRef: {name: a}}, {secretRef: {name: b}}]\n")
    done = CliRunner().invoke(lint, [str(greeter)], standalone_mode=False, catch_exceptions=False)
    assert done.return_value == 0
    assert (
        "warning  Deployment subject waits for Secret a; Deployment subject waits for Secret b: neither the chart nor "
        "`dependencies` of the contract make it; bring it there, unless something that the chart starts does\n"
    ) in done.stdout


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(("on_every", "unbuilt"))])
def test_charts_of_public_kinds_have_what_they_wait_for(name, tmp_path):
    assert [*awaited(read_subject(unpacked(name, tmp_path)))] == []
