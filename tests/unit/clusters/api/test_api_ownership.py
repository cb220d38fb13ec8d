"""Server-side apply on objects alone; what clients see of it is held by tests/local/api."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.clusters.local.api import fieldset
from seatrial.clusters.local.api.errors import StoreError
from seatrial.clusters.local.api.kinds import KINDS
from seatrial.clusters.local.api.ownership import applied, note_update

CONFIG_MAPS, SERVICES = KINDS["configmaps"], KINDS["services"]
NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"


def config(kind=CONFIG_MAPS, **fields):
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "a", "namespace": "n"}, **fields}


def apply(live, manager="helm", *, kind=CONFIG_MAPS, force=False, **fields):
    return applied(kind, live, config(kind, **fields), manager, None, force=force, now=NOW)


def owners(obj):
    return {
        (entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", ())
    }


def test_an_applier_owns_what_it_names():
    assert owners(apply(None, data={"a": "1"})) == {("helm", "Apply"): {"f:data": {"f:a": {}}}}


def test_what_it_no_longer_names_goes():
    live = apply(apply(None, data={"a": "1", "b": "2"}), data={"a": "1"})
    assert live["data"] == {"a": "1"}


def test_what_another_owns_stays():
    both = apply(apply(None, data={"a": "1"}), "other", data={"a": "1"})
    left = apply(both, data={})
    assert left["data"] == {"a": "1"}
    assert owners(left)[("other", "Apply")] == {"f:data": {"f:a": {}}}


def test_another_value_is_a_conflict_that_names_owner_and_field():
    live = apply(None, data={"a": "1"})
    with pytest.raises(StoreError) as refused:
        apply(live, "other", data={"a": "2"})
    assert refused.value.message == 'Apply failed with 1 conflict: conflict with "helm": .data.a'
    assert (refused.value.details["causes"]) == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "helm"', "field": ".data.a"}
    ]


def test_force_takes_the_field_over():
    live = apply(apply(None, data={"a": "1"}), "other", data={"a": "2"}, force=True)
    assert owners(live) == {("other", "Apply"): {"f:data": {"f:a": {}}}}


def test_other_writes_take_the_fields_they_change():
    live = apply(None, data={"a": "1", "b": "1"})
    changed = config(data={"a": "2", "b": "1"})
    changed["metadata"]["managedFields"] = live["metadata"]["managedFields"]
    note_update(CONFIG_MAPS, live, changed, "kubectl", None, LATER)
    assert owners(changed) == {
        ("helm", "Apply"): {"f:data": {"f:b": {}}},
        ("kubectl", "Update"): {"f:data": {"f:a": {}}},
    }


def test_the_same_port_for_two_protocols_is_two_items():
    ports = [{"port": 53, "protocol": "TCP", "name": "tcp"}, {"port": 53, "protocol": "UDP", "name": "udp"}]
    live = apply(None, kind=SERVICES, spec={"ports": ports})
    left = apply(live, kind=SERVICES, spec={"ports": ports[1:]})
    assert ports[1:] == left["spec"]["ports"]


def test_a_port_without_protocol_is_the_tcp_one():
    live = apply(None, kind=SERVICES, spec={"ports": [{"port": 80, "protocol": "TCP", "name": "a"}]})
    again = apply(live, kind=SERVICES, spec={"ports": [{"port": 80, "name": "a"}]})
    assert len(again["spec"]["ports"]) == 1


def test_items_of_others_keep_their_place():
    live = apply(None, "other", kind=SERVICES, spec={"ports": [{"port": 1}, {"port": 2}, {"port": 3}]})
    merged = apply(live, kind=SERVICES, spec={"ports": [{"port": 9}, {"port": 2, "name": "two"}]})
    assert [port["port"] for port in merged["spec"]["ports"]] == [1, 9, 2, 3]


def test_an_atomic_map_is_owned_whole():
    live = apply(None, kind=SERVICES, spec={"selector": {"a": "1"}})
    assert owners(live)[("helm", "Apply")] == {"f:spec": {"f:selector": {}}}
    with pytest.raises(StoreError, match=r"\.spec\.selector"):
        apply(live, "other", kind=SERVICES, spec={"selector": {"b": "1"}})


def test_applying_the_same_again_changes_nothing():
    live = apply(None, data={"a": "1"})
    again = applied(CONFIG_MAPS, live, config(data={"a": "1"}), "helm", None, force=False, now=LATER)
    assert live == again


elements = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"1"'])


@given(st.sets(st.lists(elements, min_size=1, max_size=4).map(tuple)))
def test_a_set_of_fields_survives_being_written(fields):
    assert frozenset(fields) == fieldset.from_v1(fieldset.to_v1(fields))
