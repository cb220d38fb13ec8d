"""Bodies are put together here as Go does it: field by field, with the numbers of generated.proto."""

import base64

import pytest

from seatrial.clusters.local.api.errors import StoreError
from seatrial.clusters.local.api.protobuf import decode


def varint(number):
    raw = b""
    while number > 0x7F:
        raw, number = raw + bytes([number & 0x7F | 0x80]), number >> 7
    return raw + bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def body(api_version, kind, *fields):
    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, b"".join(fields))


def test_a_secret():
    metadata = field(1, "release") + field(3, "shop") + field(11, field(1, "owner") + field(2, "helm"))
    data = field(1, "payload") + field(2, b"\x00\xff")
    assert {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "release", "namespace": "shop", "labels": {"owner": "helm"}},
        "data": {"payload": base64.b64encode(b"\x00\xff").decode()},
        "type": "helm.sh/release.v1",
    } == decode(body("v1", "Secret", field(1, metadata), field(2, data), field(3, "helm.sh/release.v1")))


def test_inlined_structs_numbers_and_int_or_string():
    http_get = field(1, "/ready") + field(2, field(1, 1) + field(3, "http"))
    probe = field(1, field(2, http_get)) + field(4, 10)
    container = field(1, "web") + field(11, probe)
    volume = field(1, "data") + field(2, field(2, b""))
    pod = decode(body("v1", "Pod", field(2, field(1, volume) + field(2, container) + field(4, 30))))
    assert pod["spec"] == {
        "volumes": [{"name": "data", "emptyDir": {}}],
        "containers": [
            {"name": "web", "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 10}}
        ],
        "terminationGracePeriodSeconds": 30,
    }  # fmt: skip


def test_delete_options_of_any_group():
    options = decode(body("policy/v1", "DeleteOptions", field(1, 5), field(4, "Background")))
    assert (options["gracePeriodSeconds"], options["propagationPolicy"]) == (5, "Background")


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"k8s\x00\xff", body("v1", "Unheard", b""), body("v1", "Secret", b"\x0a\x7f")],
)
def test_what_cannot_be_read_is_a_bad_request(raw):
    with pytest.raises(StoreError) as refused:
        decode(raw)
    assert refused.value.code == 400
