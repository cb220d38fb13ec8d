"""Which process stands for an image."""

import sys
from pathlib import Path

import pytest

from seatrial.clusters.local.kubelet.images import Image, ImageMap, ImageNotFound, SharedImages
from seatrial.clusters.recipe import Recipe, read_recipe
from seatrial.errors import InputError

OPENMED = """
image: openmed
tag: "1.7.0"
dockerfile: Dockerfile
process:
  command: ["{python}", "-m", "openmed_service"]
  env: {PYTHONPATH: "{images}", HOST: "{pod_ip}"}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    file = tmp_path / "openmed.image.yaml"
    file.write_text(OPENMED)
    return read_recipe(file)


@pytest.fixture
def images(recipe: Recipe) -> ImageMap:
    return ImageMap.of_processes(['shop/api=uvicorn "my app:app" --host {pod_ip}']).with_recipe(recipe)


def test_placeholders_are_filled_in_for_the_pod(images: ImageMap, tmp_path: Path) -> None:
    found = images.find("openmed:1.7.0").at("127.64.0.7")
    assert found.command == (sys.executable, "-m", "openmed_service")
    assert found.env == {"PYTHONPATH": str(tmp_path), "HOST": "127.64.0.7"}


def test_a_command_line_entry_maps_any_tag_and_is_split_as_a_shell_would(images: ImageMap) -> None:
    assert images.find("shop/api:9").at("127.64.0.7").command == ("uvicorn", "my app:app", "--host", "127.64.0.7")


def test_an_entry_goes_before_a_recipe(recipe: Recipe) -> None:
    named = ImageMap.of_processes(["openmed=serve"])
    assert named.with_recipe(recipe).find("openmed:2").command == ("serve",)


def test_a_recipe_without_a_process_stands_for_nothing(tmp_path: Path) -> None:
    file = tmp_path / "shop.image.yaml"
    file.write_text("image: shop\ndockerfile: Dockerfile\n")
    with pytest.raises(ImageNotFound):
        ImageMap().with_recipe(read_recipe(file)).find("shop:latest")


def test_without_a_recipe_an_image_is_unknown_whatever_it_is_called() -> None:
    """`openmed:1.7.0` is what the upstream image is called, too."""
    with pytest.raises(ImageNotFound, match="expected a process that stands for this image"):
        ImageMap().find("openmed:1.7.0")


@pytest.mark.parametrize(
    "reference", ["python:3.11-slim-bookworm", "busybox", "docker.io/library/debian:bookworm-slim"]
)
def test_plain_images_stand_for_this_machine(images: ImageMap, reference: str) -> None:
    assert images.find(reference) == Image()


@pytest.mark.parametrize(
    "reference", ["python-model-server:1", "python/server", "busybox2", "debian.example.org/server", "acme/python:3.11"]
)
def test_an_image_that_only_begins_or_ends_like_one_does_not(images: ImageMap, reference: str) -> None:
    with pytest.raises(ImageNotFound):
        images.find(reference)


def test_another_tag_is_not_there(images: ImageMap) -> None:
    with pytest.raises(ImageNotFound, match=r"openmed:2: expected the tag 1\.7\.0, the only one that .*openmed\.image"):
        images.find("openmed:2")


def test_an_unknown_image_says_how_to_name_it(images: ImageMap) -> None:
    with pytest.raises(ImageNotFound, match='--process "vendor/thing=COMMAND", or a recipe of it under `images`'):
        images.find("vendor/thing:1")


@pytest.mark.parametrize("entry", ["shop", "shop=", "=serve", "shop='serve"])
def test_a_malformed_entry_is_refused(entry: str) -> None:
    with pytest.raises(InputError, match=r"expected IMAGE=COMMAND, found .*; (give|quote)"):
        ImageMap.of_processes([entry])


@pytest.mark.parametrize("reference", ["openmed:1.7.0", "shop/api:9", "python:3.11"])
def test_what_is_shared_is_read_as_it_was_written(images: ImageMap, tmp_path: Path, reference: str) -> None:
    shared = SharedImages(tmp_path / "images.json")
    shared.write(images)
    assert shared.find(reference) == images.find(reference)


def test_what_is_shared_later_is_found_from_then_on(images: ImageMap, tmp_path: Path) -> None:
    shared = SharedImages(tmp_path / "images.json")
    with pytest.raises(ImageNotFound):
        shared.find("openmed:1.7.0")
    shared.write(images)
    assert shared.find("openmed:1.7.0") == images.find("openmed:1.7.0")


def test_an_id_says_which_process_stands_for_the_image_and_who_named_it(images: ImageMap, tmp_path: Path) -> None:
    named = f"process named by {tmp_path / 'openmed.image.yaml'}: {sys.executable} -m openmed_service"
    assert images.find("openmed:1.7.0").id == named
    assert images.find("shop/api").id == "process named by --process: uvicorn 'my app:app' --host '{pod_ip}'"
    assert images.find("python:3.11").id == "process named by this machine: the pod's own command"


def test_of_a_pods_own_command_a_process_may_stand_for_the_program() -> None:
    found = ImageMap.of_processes(["shop/api=serve", "shop/api api-server=python3 'my server.py'"]).find("shop/api:1")
    assert found.command == ("serve",)
    assert found.called(["api-server", "--port", "80"]) == ["python3", "my server.py", "--port", "80"]
    assert found.called(["migrate", "api-server"]) == ["migrate", "api-server"]
    assert found.id == "process named by --process: serve; api-server: python3 'my server.py'"


def test_programs_of_a_recipe_stand_beside_those_of_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "shop.image.yaml"
    file.write_text("image: shop\nprocess: {command: [serve], programs: {a: ['{python}', a.py], b: [b]}}\n")
    images = ImageMap.of_processes(["shop b=mine"]).with_recipe(read_recipe(file))
    SharedImages(tmp_path / "images.json").write(images)
    found = SharedImages(tmp_path / "images.json").find("shop").at("127.64.0.7")
    assert (found.command, found.programs) == (("serve",), {"a": (sys.executable, "a.py"), "b": ("mine",)})
