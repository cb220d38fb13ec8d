"""Environment, command and arguments as the API defines them."""

import pytest

from seatrial.clusters.local.kubelet.environment import (
    ConfigError,
    command_line,
    container_env,
    expand,
    field_value,
    resource_value,
    service_variables,
)

POD = {
    "metadata": {
        "name": "web-0",
        "namespace": "shop",
        "uid": "u1",
        "labels": {"app": "web"},
        "annotations": {"team": "sea"},
    },
    "spec": {"containers": [], "nodeName": "local-node"},
    "status": {"podIP": "127.64.0.1"},
}
SETTINGS = {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"level": "low", "mode": "a"}}
KEYS = {"kind": "Secret", "metadata": {"name": "keys"}, "data": {"token": "czNjcmV0"}}


def find(resource: str, name: str):
    return {("configmaps", "settings"): SETTINGS, ("secrets", "keys"): KEYS}.get((resource, name))


def env_of(container, image=None, services=None) -> dict[str, str]:
    return container_env(container, POD, find, image=image or {}, services=services or {})


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(A)", "x1y1"),
        ("$(NOBODY)", "$(NOBODY)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
    ],
)
def test_references_are_expanded_once_and_unknown_ones_stay(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1"}) == expanded


def test_a_value_sees_the_variables_before_it_and_not_those_after() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(C)"}, {"name": "C", "value": "3"}]
    assert env_of({"env": env})["B"] == "1$(C)"


def test_env_goes_before_env_from_before_services_before_the_image() -> None:
    container = {
        "env": [{"name": "level", "value": "mine"}],
        "envFrom": [{"configMapRef": {"name": "settings"}}],
    }
    seen = env_of(container, image={"level": "image", "mode": "image", "HOST": "image"}, services={"HOST": "service"})
    assert seen == {"level": "mine", "mode": "a", "HOST": "service"}


def test_env_from_takes_all_keys_with_a_prefix() -> None:
    sources = [{"prefix": "K_", "secretRef": {"name": "keys"}}]
    assert env_of({"envFrom": sources}) == {"K_token": "s3cret"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "none", "key": "x"}}, 'configmap "none" not found'),
        ({"secretKeyRef": {"name": "none", "key": "x"}}, 'secret "none" not found'),
        ({"configMapKeyRef": {"name": "settings", "key": "x"}}, "couldn't find key x in ConfigMap shop/settings"),
    ],
)
def test_a_missing_source_is_an_error_unless_it_is_optional(source, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        env_of({"env": [{"name": "A", "valueFrom": source}]})
    [(kind, reference)] = source.items()
    assert env_of({"env": [{"name": "A", "valueFrom": {kind: reference | {"optional": True}}}]}) == {}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web-0"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.labels", 'app="web"'),
        ("metadata.annotations['team']", "sea"),
        ("spec.nodeName", "local-node"),
        ("status.podIP", "127.64.0.1"),
    ],
)
def test_fields_of_the_pod(path: str, value: str) -> None:
    assert field_value(path, POD) == value


def test_an_unsupported_field_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"spec\.containers"):
        field_value("spec.containers", POD)


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ({"resource": "requests.cpu", "divisor": "1m"}, "250"),
        ({"resource": "requests.cpu"}, "1"),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "512"),
        ({"resource": "limits.cpu"}, "0"),
    ],
)
def test_resources_are_counted_in_their_divisor_and_rounded_up(reference, value: str) -> None:
    container = {"resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "512Mi"}}}
    assert resource_value(reference, container, POD) == value


@pytest.mark.parametrize(
    ("container", "argv"),
    [
        ({}, ["serve", "--fast"]),
        ({"args": ["-v"]}, ["serve", "--fast", "-v"]),
        ({"command": ["sh", "-c"]}, ["sh", "-c"]),
        ({"command": ["sh", "-c"], "args": ["echo $(A)"]}, ["sh", "-c", "echo 1"]),
    ],
)
def test_a_command_replaces_the_entrypoint_and_arguments_follow(container, argv: list[str]) -> None:
    assert command_line(container, ("serve", "--fast"), {"A": "1"}) == argv


SERVICE = {
    "metadata": {"name": "pg-main", "namespace": "shop"},
    "spec": {"clusterIP": "127.96.0.9", "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}]},
}


def test_services_of_the_namespace_are_variables() -> None:
    elsewhere = {**SERVICE, "metadata": {"name": "other", "namespace": "bank"}}
    headless = {**SERVICE, "metadata": {"name": "hl", "namespace": "shop"}, "spec": {"clusterIP": "None", "ports": []}}
    seen = service_variables([SERVICE, elsewhere, headless], POD, ("127.0.0.1", 6443))
    assert seen["PG_MAIN_SERVICE_HOST"] == "127.96.0.9"
    assert seen["PG_MAIN_SERVICE_PORT_SQL"] == "5432"
    assert seen["PG_MAIN_PORT_5432_TCP"] == "tcp://127.96.0.9:5432"
    assert seen["KUBERNETES_SERVICE_PORT"] == "6443"
    assert not any(name.startswith(("OTHER", "HL")) for name in seen)


def test_service_links_can_be_switched_off() -> None:
    pod = {**POD, "spec": {"containers": [], "enableServiceLinks": False}}
    assert service_variables([SERVICE], pod, None) == {}
