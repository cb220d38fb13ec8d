"""How images are built: what goes to Docker is what the image needs, from a checkout and from a wheel alike."""

import pytest

from seatrial import images
from seatrial.content import content
from seatrial.errors import ClusterError


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A docker that lists the context it was given, and fails if a file named `broken` is in it."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\nfor last; do :; done\ncd "$last" && find . -type f | sort > "$SENT"\n[ ! -e broken ]\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    sent = tmp_path / "sent"
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("SENT", str(sent))
    return lambda: sent.read_text(encoding="utf-8").split()


def test_the_agents_image_is_built_from_the_package_and_nothing_else(docker):
    images.build(images.recipes(content("charts") / "images")[images.AGENT])
    assert "./seatrial/traffic/agent.py" in docker()
    assert all(file.startswith("./seatrial/") for file in docker())
    assert not any("__pycache__" in file for file in docker())


def test_the_reference_services_image_has_what_its_dockerfile_copies_with_its_planted_defects_and_nothing_else(docker):
    recipe = images.recipes(content("charts") / "images")["openmed:1.7.0"]
    images.build(recipe)
    copied = {
        word
        for line in recipe.dockerfile.read_text(encoding="utf-8").splitlines()
        if line.startswith("COPY ")
        for word in line.split()[1:-1]
    }
    sent = docker()
    assert {"./openmed-service/faults/exits.py", "./images/planting/record.py"} <= {*sent}
    assert {next((path for path in copied if file.startswith(f"./{path}")), file) for file in sent} == copied
    assert not any("__pycache__" in file for file in sent)


def test_the_loads_image_has_what_locust_files_read_beside_the_package(docker):
    images.build(images.recipes(content("charts") / "images")[images.LOAD])
    assert {"./seatrial/loads/relay.py", "./loadtests/chat.py", "./charts/openmed-service/cases.yaml"} <= {*docker()}
    assert {file.split("/")[1] for file in docker()} == {"seatrial", "loadtests", "charts"}
    assert not any("__pycache__" in file for file in docker())


def test_a_recipe_that_includes_nothing_by_name_sends_its_folder(docker, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "shop.image.yaml").write_text("image: acme/shop\ntag: '1'\ndockerfile: Dockerfile\n")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    images.build(images.recipes(folder)["acme/shop:1"])
    assert docker() == ["./Dockerfile", "./shop.image.yaml"]


def test_a_build_that_fails_is_told_by_the_images_name(docker, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "shop.image.yaml").write_text("image: acme/shop\ndockerfile: Dockerfile\n")
    (folder / "broken").write_text("")
    with pytest.raises(ClusterError, match=r"acme/shop:latest: expected an image"):
        images.build(images.recipes(folder)["acme/shop:latest"])
