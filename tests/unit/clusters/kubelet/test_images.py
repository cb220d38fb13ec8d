"""Which process stands for an image."""

import sys
from pathlib import Path

import pytest

from seatrial.clusters.local.kubelet.images import Image, ImageMap, ImageNotFound, split_reference
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
def images(tmp_path: Path) -> ImageMap:
    (tmp_path / "openmed.image.yaml").write_text(OPENMED)
    return ImageMap.read([tmp_path], ['shop/api=uvicorn "my app:app" --host {pod_ip}'])


@pytest.mark.parametrize(
    ("reference", "repository", "tag"),
    [
        ("openmed", "openmed", "latest"),
        ("openmed:1.7.0", "openmed", "1.7.0"),
        ("docker.io/library/python:3.11-slim", "python", "3.11-slim"),
        ("ghcr.io/maziyarpanahi/openmed:1", "ghcr.io/maziyarpanahi/openmed", "1"),
        ("localhost:5000/openmed", "localhost:5000/openmed", "latest"),
        ("openmed:1@sha256:00ff", "openmed", "1"),
    ],
)
def test_references(reference: str, repository: str, tag: str) -> None:
    assert split_reference(reference) == (repository, tag)


def test_placeholders_are_filled_in_for_the_pod(images: ImageMap, tmp_path: Path) -> None:
    found = images.find("openmed:1.7.0").at("127.64.0.7")
    assert found.command == (sys.executable, "-m", "openmed_service")
    assert found.env == {"PYTHONPATH": str(tmp_path), "HOST": "127.64.0.7"}


def test_a_command_line_entry_maps_any_tag_and_is_split_as_a_shell_would(images: ImageMap) -> None:
    assert images.find("shop/api:9").at("127.64.0.7").command == ("uvicorn", "my app:app", "--host", "127.64.0.7")


def test_an_entry_goes_before_a_file(tmp_path: Path) -> None:
    (tmp_path / "openmed.image.yaml").write_text(OPENMED)
    assert ImageMap.read([tmp_path], ["openmed=serve"]).find("openmed:2").command == ("serve",)


@pytest.mark.parametrize("reference", ["python:3.11-slim-bookworm", "busybox", "debian:bookworm-slim"])
def test_plain_images_stand_for_this_machine(images: ImageMap, reference: str) -> None:
    assert images.find(reference) == Image()


def test_another_tag_is_not_there(images: ImageMap) -> None:
    with pytest.raises(ImageNotFound, match=r"openmed:2: not found.*1\.7\.0"):
        images.find("openmed:2")


def test_an_unknown_image_says_how_to_name_it(images: ImageMap) -> None:
    with pytest.raises(ImageNotFound, match='--process "vendor/thing=COMMAND"'):
        images.find("vendor/thing:1")


@pytest.mark.parametrize("entry", ["shop", "shop=", "=serve", "shop='serve"])
def test_a_malformed_entry_is_refused(entry: str) -> None:
    with pytest.raises(InputError, match="IMAGE=COMMAND"):
        ImageMap.read([], [entry])


@pytest.mark.parametrize(
    "content", ["image: a", "- a", "image: a\nprocess: {command: []}", "image: a\nprocess: {comand: [x]}", "{"]
)
def test_a_malformed_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.image.yaml").write_text(content)
    with pytest.raises(InputError, match=r"bad\.image\.yaml"):
        ImageMap.read([tmp_path])
