"""A container sees its interpreter though the way to it leads through folders that start empty."""

from seatrial.clusters.local.kubelet.creation import links


def test_every_link_on_the_way_is_named(tmp_path):
    real, middle, first = tmp_path / "opt" / "python3.11", tmp_path / "bin" / "python3", tmp_path / "venv" / "python"
    for one in (real, middle, first):
        one.parent.mkdir()
    real.touch()
    middle.symlink_to(real)
    first.symlink_to("../bin/python3")
    assert [tmp_path.joinpath(one).resolve() for one in links(str(first))] == [real] * 3
    assert links(str(first))[-1] == str(real)
    assert links(str(real)) == [str(real)]


def test_links_in_a_circle_end(tmp_path):
    tmp_path.joinpath("a").symlink_to("b")
    tmp_path.joinpath("b").symlink_to("a")
    assert len(links(str(tmp_path / "a"))) == 40
