"""What containers ran is what the kubelet said of their pods, and not what the chart called it."""

from seatrial.observation import Change, Timeline
from seatrial.watch.images import ContainerImage, images_run

DIGEST = "docker.io/acme/shop@sha256:00ff"


def pod(name="a", id="", **spec):
    status = {"containerStatuses": [{"name": "server", "imageID": id}]} if id is not None else {}
    container = {"name": "server", "image": "acme/shop:7", **spec}
    return Change(1.0, "Pod", "MODIFIED", name, {"spec": {"containers": [container]}, "status": status})


def ran(*changes):
    return images_run(Timeline(changes))


def test_pods_that_ran_the_same_are_told_together():
    assert ran(pod("a", DIGEST), pod("b", DIGEST), pod("a", DIGEST)) == [
        ContainerImage("server", "acme/shop:7", DIGEST, None, None, ("a", "b"))
    ]


def test_pods_of_one_name_of_an_image_that_ran_different_ones_are_told_apart():
    found = ran(pod("a", DIGEST), pod("b", "docker.io/acme/shop@sha256:11ee"))
    assert [(image.id[-4:], image.pods) for image in found] == [("00ff", ("a",)), ("11ee", ("b",))]


def test_an_id_that_comes_later_or_goes_again_is_the_one_that_counts():
    (image,) = ran(pod(id=None), pod(id=""), pod(id=DIGEST), pod(id=""))
    assert image.id == DIGEST


def test_an_image_that_never_came_is_told_without_an_id():
    assert [(image.image, image.id) for image in ran(pod(id=None), pod(id=""))] == [("acme/shop:7", "")]


def test_what_the_pod_runs_in_the_image_is_told_as_its_spec_has_it():
    """Without the values of variables, which may be secret."""
    (image,) = ran(pod(id=DIGEST, command=["serve"], args=["--key", "$(KEY)"]))
    assert (image.command, image.args) == (("serve",), ("--key", "$(KEY)"))


def test_init_containers_are_told_too():
    both = {
        "spec": {"initContainers": [{"name": "fetch", "image": "busybox"}], "containers": []},
        "status": {"initContainerStatuses": [{"name": "fetch", "imageID": "sha256:22"}]},
    }
    assert ran(Change(1.0, "Pod", "ADDED", "a", both)) == [
        ContainerImage("fetch", "busybox", "sha256:22", None, None, ("a",))
    ]
