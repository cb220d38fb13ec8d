import pytest

from seatrial.clusters.local.api.decoding import decode
from seatrial.clusters.local.api.errors import StoreError
from seatrial.clusters.local.api.kinds import KINDS


def deployment(**container):
    template = {"spec": {"containers": [{"name": "web", "image": "web:1", **container}]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": template}}


def container_of(decoded):
    return decoded["spec"]["template"]["spec"]["containers"][0]


def test_unknown_fields_are_dropped_and_told():
    decoded, warnings = decode(KINDS["deployments"], deployment(imag="typo"), "Warn")
    assert container_of(decoded) == {"name": "web", "image": "web:1"}
    assert warnings == ['unknown field "spec.template.spec.containers[0].imag"']


def test_unknown_fields_can_be_ignored():
    assert decode(KINDS["deployments"], deployment(imag="typo"), "Ignore")[1] == []


def test_unknown_fields_are_refused_by_strict_clients():
    with pytest.raises(StoreError, match=r'strict decoding error: unknown field "spec\.template.*imag"') as refused:
        decode(KINDS["deployments"], deployment(imag="typo"), "Strict")
    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"env": [{"name": "A", "value": 5}]}, "unmarshal number into Go struct field EnvVar.*value of type string"),
        ({"image": True}, "cannot unmarshal bool into Go struct field Container.*image of type string"),
        ({"ports": {"containerPort": 80}}, "cannot unmarshal object into Go struct field .*ports of type"),
        ({"ports": [{"containerPort": "80"}]}, "cannot unmarshal string into .*containerPort of type int32"),
        ({"ports": [{"containerPort": 2**31}]}, "cannot unmarshal number 2147483648 into"),
        ({"resources": {"limits": {"cpu": "lots"}}}, "quantities must match the regular expression"),
    ],
)  # fmt: skip
def test_wrong_types_are_refused_whatever_was_asked(container, said):
    with pytest.raises(StoreError, match=said):
        decode(KINDS["deployments"], deployment(**container), "Ignore")


def test_nulls_and_empty_collections_are_left_out():
    decoded, _ = decode(KINDS["deployments"], deployment(command=None, env=[], livenessProbe=None), "Strict")
    assert container_of(decoded) == {"name": "web", "image": "web:1"}


def test_empty_structs_stay():
    decoded, _ = decode(
        KINDS["pods"], {"spec": {"containers": [], "volumes": [{"name": "a", "emptyDir": {}}]}}, "Strict"
    )
    assert decoded["spec"]["volumes"] == [{"name": "a", "emptyDir": {}}]


def test_quantities_are_stored_in_one_form():
    limits = {"cpu": 0.5, "memory": "1024Mi"}
    decoded, _ = decode(KINDS["deployments"], deployment(resources={"limits": limits}), "Strict")
    assert container_of(decoded)["resources"]["limits"] == {"cpu": "500m", "memory": "1Gi"}


def test_secrets_hold_base64():
    with pytest.raises(StoreError, match="illegal base64 data"):
        decode(KINDS["secrets"], {"data": {"password": "not base64!"}}, "Strict")
