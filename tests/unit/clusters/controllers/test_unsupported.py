"""What the local cluster does not run, it says."""

from control_plane import template


async def test_a_daemon_set_is_told_that_it_gets_no_pods(plane):
    selector = {"matchLabels": {"app": "shop"}}
    plane.create("daemonsets", "shop", {"selector": selector, "template": template()})
    await plane.settle()
    (event,) = plane.store.list("events", "default")
    assert (event["type"], event["reason"], event["involvedObject"]["name"]) == ("Warning", "NotSupported", "shop")
    assert "use a Deployment or Job, or kind" in event["message"]
    assert plane.pods() == []
