import pytest

from seatrial.clusters.local.api.request import target, yaml_or_json


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/api/v1/pods", ("pods", None, None, None)),
        ("/api/v1/namespaces/shop/pods", ("pods", "shop", None, None)),
        ("/api/v1/namespaces/shop/pods/web", ("pods", "shop", "web", None)),
        ("/api/v1/namespaces/shop/pods/web/log", ("pods", "shop", "web", "log")),
        ("/apis/apps/v1/namespaces/shop/deployments/web/scale", ("deployments", "shop", "web", "scale")),
        ("/api/v1/namespaces", ("namespaces", None, None, None)),
        ("/api/v1/namespaces/shop", ("namespaces", None, "shop", None)),
        ("/api/v1/namespaces/shop/status", ("namespaces", None, "shop", "status")),
        ("/api/v1/namespaces/shop/finalize", ("namespaces", None, "shop", "finalize")),
        ("/api/v1/nodes/node-1", ("nodes", None, "node-1", None)),
    ],
)
def test_a_path_names_a_target(path, found):
    wanted = target(path)
    assert found == (wanted.kind.resource, wanted.namespace, wanted.name, wanted.subresource)


@pytest.mark.parametrize(
    "path",
    ["/", "/version", "/api/v1", "/apis/apps/v1", "/api/v1/pods/web", "/api/v1/deployments", "/apis/apps/v1/pods"],
)
def test_other_paths_do_not(path):
    assert target(path) is None


def test_dates_in_yaml_stay_text():
    """As in Go's YAML: an annotation that looks like a date is a string."""
    assert yaml_or_json(b"released: 2026-11-21\nready: true\n") == {"released": "2026-11-21", "ready": True}
