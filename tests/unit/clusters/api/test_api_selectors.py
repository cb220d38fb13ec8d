import pytest

from seatrial.clusters.local.api.errors import StoreError
from seatrial.clusters.local.api.selectors import as_text, field_selector, label_selector, matches_labels

POD = {
    "metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web", "tier": "front", "weight": "7"}},
    "spec": {"nodeName": "node-1"},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("app=web", True), ("app==web", True), ("app=db", False), ("app!=db", True), ("app!=web", False),
        ("app", True), ("!app", False), ("!gone", True), ("gone", False), ("gone!=x", True),
        ("app in (web, db)", True), ("app in (db)", False), ("app notin (db)", True), ("gone notin (db)", True),
        ("app=web,tier=front", True), ("app=web,tier=back", False), ("app in (a,web),tier", True),
        ("weight>6", True), ("weight<7", False), ("app>6", False), ("", True),
    ],
)  # fmt: skip
def test_label_selectors(text, matches):
    assert matches == label_selector(text)(POD)


@pytest.mark.parametrize("text", ["app=", "app in ()"])
def test_an_empty_value_is_a_value(text):
    assert not label_selector(text)(POD)


@pytest.mark.parametrize("text", ["app=a b", "in (a)", "app ~ b", "weight>heavy"])
def test_a_label_selector_that_cannot_be_read_is_a_bad_request(text):
    with pytest.raises(StoreError) as refused:
        label_selector(text)(POD)
    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("metadata.name=web-1", True), ("metadata.name!=web-1", False), ("spec.nodeName=node-1", True),
        ("status.phase=Running,metadata.namespace=shop", True), ("status.phase=Pending", False),
        ("spec.schedulerName=", True),
    ],
)  # fmt: skip
def test_field_selectors(text, matches):
    assert matches == field_selector("pods", text)(POD)


def test_a_field_that_cannot_be_selected_by_is_a_bad_request():
    with pytest.raises(StoreError, match=r'"spec\.containers" is not a known field'):
        field_selector("pods", "spec.containers=x")


EXPRESSIONS = [
    {"key": "tier", "operator": "In", "values": ["front", "back"]},
    {"key": "canary", "operator": "DoesNotExist"},
]


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "db"}}, False),
        ({"matchLabels": {"app": "web"}, "matchExpressions": EXPRESSIONS}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["front"]}]}, False),
        ({}, True),
        (None, False),
    ],
)
def test_selectors_of_objects(selector, matches):
    """An empty selector selects all, none at all selects nothing."""
    assert matches == matches_labels(selector, POD["metadata"]["labels"])


def test_a_selector_as_text_selects_the_same():
    text = as_text({"matchLabels": {"app": "web"}, "matchExpressions": EXPRESSIONS})
    assert text == "app=web,tier in (back,front),!canary"
    assert label_selector(text)(POD)
