"""A recipe is one image's, by its repository and tag; a file that is none is told by its name."""

import pytest

from seatrial.clusters.recipe import read_recipe, split_reference
from seatrial.errors import InputError


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
def test_references(reference, repository, tag):
    assert split_reference(reference) == (repository, tag)


@pytest.fixture
def read(tmp_path):
    """Reads a recipe with this text."""

    def write(text):
        file = tmp_path / "shop.image.yaml"
        file.write_text(text)
        return read_recipe(file)

    return write


PROCESS = "process: {command: [serve]}\n"


@pytest.mark.parametrize(
    ("image", "with_tag", "without"),
    [
        ("acme/shop:1", True, True),
        ("docker.io/acme/shop:1", True, True),
        ("acme/shop:2", False, True),
        ("acme/shop", False, True),
        ("shop:1", False, False),
        ("ghcr.io/acme/shop:1", False, False),
    ],
)
def test_a_recipe_makes_its_own_image_and_no_other(read, image, with_tag, without):
    assert read(f"image: acme/shop\ntag: '1'\n{PROCESS}").makes(image) == with_tag
    assert read(f"image: acme/shop\n{PROCESS}").makes(image) == without


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image: a", "expected `dockerfile`, `process` or both, found neither"),
        ("- a", "valid dictionary"),
        ("image: a\nprocess: {command: []}", "process.command"),
        ("image: a\nprocess: {comand: [x]}", "process.command"),
        ("image: 7\n" + PROCESS, "image"),
        ("image: a\ndockerfil: Dockerfile\n" + PROCESS, "dockerfil"),
        ("image: a\nimage: b\n" + PROCESS, "the key image twice"),
        ("{", "in YAML"),
    ],
)
def test_a_file_that_is_no_recipe_is_told_by_its_name(read, text, said):
    with pytest.raises(InputError, match=r"shop\.image\.yaml") as refused:
        read(text)
    assert said in str(refused.value)


def test_a_recipe_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match=r"none\.image\.yaml: expected a recipe of an image"):
        read_recipe(tmp_path / "none.image.yaml")
