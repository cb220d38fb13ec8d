"""Watches: what has changed since a version, as the watcher's selectors see it."""

import json

import pytest
from api_manifests import config_map, deployment


def watched(api, resource, accept="application/json", **parameters):
    """The events of a watch that ends after a second."""
    parameters = {"watch": "1", "timeoutSeconds": "1", **parameters}
    answer = api.http.get(api.path(resource), params=parameters, headers={"Accept": accept})
    events = [json.loads(line) for line in answer.text.splitlines()]
    # The controllers put this into every new namespace, at a time of their own.
    return [event for event in events if event["object"].get("metadata", {}).get("name") != "kube-root-ca.crt"]


def seen(events):
    return [(event["type"], event["object"]["metadata"].get("name")) for event in events]


def version_of(api):
    return api.get("configmaps")["metadata"]["resourceVersion"]


def labelled(name, **labels):
    return {**config_map(name), "metadata": {"name": name, "labels": labels}}


def test_from_a_version_only_what_came_after(api):
    api.create(config_map("before"))
    since = version_of(api)
    api.create(config_map("settings"))
    api.patch("configmaps", "settings", "merge", {"data": {"a": "1"}})
    api.delete("configmaps", "settings")
    events = watched(api, "configmaps", resourceVersion=since)
    assert seen(events) == [("ADDED", "settings"), ("MODIFIED", "settings"), ("DELETED", "settings")]


def test_without_a_version_what_exists_is_added(api):
    api.create(config_map("settings"))
    assert ("ADDED", "settings") in seen(watched(api, "configmaps"))


def test_a_write_that_changes_nothing_is_no_event(api):
    api.create(config_map("settings", a="1"))
    since = version_of(api)
    api.patch("configmaps", "settings", "merge", {"data": {"a": "1"}})
    assert watched(api, "configmaps", resourceVersion=since) == []


def test_what_starts_to_match_is_added_and_what_stops_is_deleted(api):
    api.create(labelled("a"))
    api.create(labelled("b", tier="web"))
    since = version_of(api)
    api.patch("configmaps", "a", "merge", {"metadata": {"labels": {"tier": "web"}}})
    api.patch("configmaps", "b", "merge", {"metadata": {"labels": {"tier": None}}})
    api.patch("configmaps", "b", "merge", {"data": {"x": "y"}})
    events = watched(api, "configmaps", resourceVersion=since, labelSelector="tier=web")
    assert seen(events) == [("ADDED", "a"), ("DELETED", "b")]
    assert events[1]["object"]["metadata"]["labels"] == {"tier": "web"}


def test_one_object_by_its_name(api):
    since = version_of(api)
    api.create(config_map("a"))
    api.create(config_map("b"))
    events = watched(api, "configmaps", resourceVersion=since, fieldSelector="metadata.name=b")
    assert seen(events) == [("ADDED", "b")]


def test_a_watch_list_ends_its_beginning_with_a_bookmark(api):
    api.create(labelled("a", tier="web"))
    events = watched(
        api,
        "configmaps",
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
        labelSelector="tier=web",
    )
    assert seen(events[:1]) == [("ADDED", "a")]
    assert events[1]["type"] == "BOOKMARK"
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_table_has_its_columns_once(api):
    since = version_of(api)
    api.create(deployment("a"))
    api.create(deployment("b"))
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    names = []
    for event in watched(api, "deployments", accept, resourceVersion=since, fieldSelector="metadata.name!=none"):
        if event["type"] == "ADDED":
            names += [
                (row["cells"][0], bool(event["object"].get("columnDefinitions"))) for row in event["object"]["rows"]
            ]
    assert names == [("a", True), ("b", False)]


def test_a_version_that_is_no_number_is_refused(api):
    assert api.http.get(api.path("configmaps"), params={"watch": "1", "resourceVersion": "x"}).status_code >= 400


@pytest.mark.local
def test_a_version_that_is_no_longer_kept_is_gone(server, local):
    for _ in range(2):
        local.create(config_map("settings"))
        local.delete("configmaps", "settings")
    oldest = server.call(lambda: server.store._history["configmaps"][0].resource_version)
    server.call(lambda: server.store._forgotten.__setitem__("configmaps", oldest))
    [event] = watched(local, "configmaps", resourceVersion="1")
    server.call(lambda: server.store._forgotten.__setitem__("configmaps", 0))
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


@pytest.mark.local
def test_a_watch_ends_with_its_client(server, local):
    def watchers():
        return server.call(lambda: len(server.store._subscriptions["configmaps"]))

    before = watchers()
    with local.http.stream("GET", local.path("configmaps"), params={"watch": "1"}):
        assert watchers() == before + 1
    for _ in range(100):
        local.get("configmaps")  # each round trip lets the server notice
        if watchers() == before:
            break
    assert watchers() == before
