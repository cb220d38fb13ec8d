"""Strategic merge: the orders and directives are those of a 1.34 server."""

import pytest

from seatrial.clusters.local.api.errors import StoreError
from seatrial.clusters.local.api.kinds import KINDS
from seatrial.clusters.local.api.schema import type_of_kind
from seatrial.clusters.local.api.strategic import merge

POD = type_of_kind(KINDS["pods"])


def containers(*names):
    return [{"name": name, "image": f"{name}:1"} for name in names]


def after(patch, before=("web", "side")):
    pod = {"spec": {"containers": containers(*before)}}
    return merge(POD, pod, {"spec": patch})["spec"]["containers"]


def names(patch, before=("web", "side")):
    return [container["name"] for container in after(patch, before)]


def test_items_are_merged_by_their_key():
    assert [{"name": "web", "image": "web:2"}, *containers("side")] == after(
        {"containers": [{"name": "web", "image": "web:2"}]}
    )


def test_new_items_come_first_and_known_ones_stay():
    assert names({"containers": containers("new")}) == ["new", "web", "side"]


def test_the_patch_orders_the_items_it_names():
    assert names({"containers": containers("side", "web")}) == ["side", "web"]


def test_an_item_can_be_deleted():
    assert names({"containers": [{"name": "web", "$patch": "delete"}]}) == ["side"]


def test_a_list_can_be_replaced():
    assert names({"containers": [{"$patch": "replace"}, *containers("only")]}) == ["only"]


def test_an_order_can_be_set_alone():
    assert names({"$setElementOrder/containers": [{"name": "side"}, {"name": "web"}]}) == ["side", "web"]


def test_items_the_patch_does_not_know_keep_their_neighbours():
    order = [{"name": "c"}, {"name": "a"}]
    assert names({"$setElementOrder/containers": order}, before=("a", "b", "c")) == ["b", "c", "a"]


def test_an_item_without_its_key_is_refused():
    with pytest.raises(StoreError, match="does not contain declared merge key: name"):
        after({"containers": [{"image": "x:1"}]})


def test_a_source_is_exchanged():
    """`$retainKeys` lets one of several volume sources take the place of another."""
    pod = {"spec": {"volumes": [{"name": "data", "emptyDir": {}}]}}
    volume = {"name": "data", "$retainKeys": ["name", "configMap"], "configMap": {"name": "settings"}}
    merged = merge(POD, pod, {"spec": {"volumes": [volume]}})
    assert merged["spec"]["volumes"] == [{"name": "data", "configMap": {"name": "settings"}}]


def test_sets_grow_and_shrink():
    pod = {"metadata": {"finalizers": ["a.io/x"]}}
    grown = merge(POD, pod, {"metadata": {"finalizers": ["b.io/y"]}})
    assert {"a.io/x", "b.io/y"} == set(grown["metadata"]["finalizers"])
    shrunk = merge(POD, grown, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.io/x"]}})
    assert shrunk["metadata"]["finalizers"] == ["b.io/y"]


def test_other_lists_are_replaced():
    pod = {"spec": {"containers": [{"name": "web", "args": ["a", "b"]}]}}
    merged = merge(POD, pod, {"spec": {"containers": [{"name": "web", "args": ["c"]}]}})
    assert merged["spec"]["containers"][0]["args"] == ["c"]


def test_null_removes():
    pod = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    assert merge(POD, pod, {"metadata": {"labels": {"a": None}}})["metadata"]["labels"] == {"b": "2"}


def test_the_object_given_is_left_as_it_is():
    pod = {"spec": {"containers": containers("web")}}
    merge(POD, pod, {"spec": {"containers": [{"name": "web", "image": "web:2"}]}})
    assert {"spec": {"containers": containers("web")}} == pod
