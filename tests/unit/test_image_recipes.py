"""How images are built: what goes to Docker is what the image needs, from a checkout and from a wheel alike."""

import pytest

from seatrial.clusters.docker import build
from seatrial.clusters.kind import KindCluster
from seatrial.clusters.recipe import read_recipe
from seatrial.content import content
from seatrial.errors import ClusterError
from seatrial.images import AGENT, LOAD, of_subject, own_recipes, take_in


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A docker that builds nothing, fails if a file named `broken` is in the context, and says what it was asked."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        '[ "$1" = --version ] && exit\n'
        'echo "$@" >> "$ASKED"\n'
        '[ "$1" = build ] || exit "${INSPECTED:-1}"\n'
        "for last; do :; done\n"
        'cd "$last" && find . -type f | sort > "$SENT"\n'
        "[ ! -e broken ]\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    asked = tmp_path / "asked"
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("SENT", str(tmp_path / "sent"))
    monkeypatch.setenv("ASKED", str(asked))
    return lambda: asked.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def sent(docker, tmp_path):
    """The files that were sent to Docker."""
    return lambda: (tmp_path / "sent").read_text(encoding="utf-8").split()


def test_the_reference_services_image_has_what_its_dockerfile_copies_with_its_planted_defects_and_nothing_else(sent):
    recipe = read_recipe(content("charts") / "images" / "openmed.image.yaml")
    build(recipe.image, recipe.build)
    copied = {
        word
        for line in recipe.build.dockerfile.read_text(encoding="utf-8").splitlines()
        if line.startswith("COPY ")
        for word in line.split()[1:-1]
    }
    assert {"./openmed-service/faults/exits.py", "./images/planting/record.py"} <= {*sent()}
    assert {next((path for path in copied if file.startswith(f"./{path}")), file) for file in sent()} == copied
    assert not any("__pycache__" in file for file in sent())


def test_the_agents_image_is_built_from_the_package_and_nothing_else(sent):
    build("agent:1", own(AGENT))
    assert "./seatrial/traffic/agent.py" in sent()
    assert all(file.startswith("./seatrial/") for file in sent())
    assert not any("__pycache__" in file for file in sent())


def test_the_loads_image_has_what_locust_files_read_beside_the_package(sent):
    build("load:1", own(LOAD))
    assert {"./seatrial/loads/relay.py", "./loadtests/chat.py", "./charts/openmed-service/cases.yaml"} <= {*sent()}
    assert {file.split("/")[1] for file in sent()} == {"seatrial", "loadtests", "charts"}
    assert not any("__pycache__" in file for file in sent())


def own(image):
    return next(recipe.build for recipe in own_recipes() if recipe.image == image)


@pytest.fixture
def shop(tmp_path):
    """A recipe of acme/shop, any tag."""
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "shop.image.yaml").write_text("image: acme/shop\ndockerfile: Dockerfile\n")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return read_recipe(folder / "shop.image.yaml")


def test_a_recipe_that_includes_nothing_by_name_sends_its_folder(sent, shop):
    build("acme/shop:1", shop.build)
    assert sent() == ["./Dockerfile", "./shop.image.yaml"]


def test_a_build_that_fails_is_told_by_the_images_name(docker, shop):
    (shop.file.parent / "broken").write_text("")
    with pytest.raises(ClusterError, match=r"acme/shop:7: expected an image"):
        build("acme/shop:7", shop.build)


@pytest.fixture
def loaded(monkeypatch):
    """What kind's nodes were given."""
    images = []
    monkeypatch.setattr(KindCluster, "load_image", lambda _, image: images.append(image))
    return images


def built(docker):
    return [line.split("--tag ")[1].split()[0] for line in docker() if line.startswith("build")]


def test_kind_gets_an_image_by_its_recipe_under_the_name_that_the_pod_asks_for(docker, loaded, shop):
    KindCluster().take_in("acme/shop:7", shop)
    assert (built(docker), loaded) == (["acme/shop:7"], ["acme/shop:7"])


@pytest.mark.parametrize("here", [True, False])
def test_an_image_without_a_recipe_is_never_built_whatever_it_is_called(docker, loaded, monkeypatch, here):
    """Kind's nodes get what this machine has under that name, or pull."""
    monkeypatch.setenv("INSPECTED", "0" if here else "1")
    take_in(KindCluster(), ["openmed:1.7.0"], [])
    assert (built(docker), loaded) == ([], ["openmed:1.7.0"] if here else [])


def test_a_recipe_for_another_tag_builds_nothing(docker, loaded, monkeypatch, tmp_path):
    monkeypatch.setenv("INSPECTED", "1")
    (tmp_path / "shop.image.yaml").write_text("image: shop\ntag: '1'\ndockerfile: Dockerfile\n")
    take_in(KindCluster(), ["shop:2"], [read_recipe(tmp_path / "shop.image.yaml")])
    assert (built(docker), loaded) == ([], [])


def test_a_chart_needs_what_it_renders_and_what_its_service_starts_by_itself(shop):
    def pods(**containers):
        return {"spec": {"template": {"spec": containers}}}

    manifests = [
        pods(initContainers=[{"image": "busybox"}], containers=[{"image": "acme/web:1"}]),
        {"kind": "CronJob", "spec": {"jobTemplate": pods(containers=[{"image": "acme/nightly:1"}])}},
    ]
    rendered = ["acme/nightly:1", "acme/web:1", "busybox"]
    assert of_subject(manifests, []) == rendered
    assert of_subject(manifests, [shop]) == [*rendered, "acme/shop:latest"]
    assert of_subject([*manifests, pods(containers=[{"image": "acme/shop:7"}])], [shop])[1:3] == [
        "acme/shop:7", "acme/web:1",
    ]  # fmt: skip
