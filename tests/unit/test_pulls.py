"""An image that no node can pull is told by its name; one failed pull is not yet held against it."""

from types import SimpleNamespace

import pytest

from seatrial.errors import InputError
from seatrial.images import images_of, refuse_unpullable, try_pulls


def waiting(reason):
    state = {"waiting": {"reason": reason, "message": "no such host"}}
    return {"status": {"containerStatuses": [{"image": "acme/greeter:9", "state": state}]}}


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"])
def test_what_the_kubelet_gives_up_on_is_refused(reason):
    with pytest.raises(InputError, match=f"^acme/greeter:9: expected an image .* found {reason}: no such host; push"):
        refuse_unpullable(waiting(reason))


@pytest.mark.parametrize("pod", [{}, waiting("ContainerCreating"), waiting("ErrImagePull")])
def test_what_may_still_come_is_waited_for(pod):
    assert refuse_unpullable(pod) is None


def template(*images, init=(), **spec):
    containers = [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]
    return {"spec": {"containers": containers, "initContainers": [{"name": "i", "image": i} for i in init], **spec}}


def manifest(kind, spec):
    return {"kind": kind, "metadata": {"name": kind.lower()}, "spec": spec}


CHART = [
    manifest("Deployment", {"template": template("gateway:1", "proxy:1", init=["wait:1"])}),
    manifest("StatefulSet", {"template": template("postgres:16")}),
    manifest("CronJob", {"jobTemplate": {"spec": {"template": template("report:1")}}}),
    manifest("Job", {"template": template("private:1", imagePullSecrets=[{"name": "x"}])}),
    manifest("ConfigMap", {}),
]


class Api:
    """A node that has pulled everything; it keeps what it was asked to pull, and what was deleted."""

    def __init__(self):
        self.pulled, self.deleted = [], []

    def create(self, path, pod):
        self.pulled.append([container["image"] for container in pod["spec"]["containers"]])

    def get(self, path):
        count = len(self.pulled[int(path.rpartition("-")[2])])
        return {"status": {"containerStatuses": [{"state": {"terminated": {}}}] * count}}

    def delete(self, path, **query):
        self.deleted.append(path.rpartition("/")[2])


def test_every_pod_template_of_a_chart_is_pulled_but_those_with_credentials_of_their_own():
    api = Api()
    try_pulls(SimpleNamespace(pulls=True), api, "ns", CHART)
    assert api.pulled == [["wait:1", "gateway:1", "proxy:1"], ["postgres:16"], ["report:1"]]
    assert api.deleted == ["pulls-0", "pulls-1", "pulls-2"]


def test_a_cluster_that_pulls_nothing_is_asked_for_nothing():
    api = Api()
    try_pulls(SimpleNamespace(pulls=False), api, "ns", CHART)
    assert api.pulled == []


def test_a_chart_names_the_images_of_all_its_pods():
    assert list(images_of(CHART)) == ["wait:1", "gateway:1", "proxy:1", "postgres:16", "report:1", "private:1"]
