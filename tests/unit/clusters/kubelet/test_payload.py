"""Files made from API objects."""

import os
from pathlib import Path

import pytest

from seatrial.clusters.local.kubelet.payload import File, NotReady, files_of, write

POD = {"metadata": {"name": "web", "namespace": "shop", "uid": "u"}, "spec": {"containers": [{}]}}
SETTINGS = {"kind": "ConfigMap", "data": {"level": "low", "mode": "a"}, "binaryData": {"raw": "AAE="}}


def find(resource: str, name: str):
    return SETTINGS if (resource, name) == ("configmaps", "settings") else None


def test_every_key_is_a_file() -> None:
    files = files_of({"configMap": {"name": "settings", "defaultMode": 0o600}}, POD, find)
    expected = {"level": b"low", "mode": b"a", "raw": b"\x00\x01"}
    assert files == {name: File(content, 0o600) for name, content in expected.items()}


def test_items_choose_keys_paths_and_modes() -> None:
    items = [{"key": "level", "path": "deep/level.txt", "mode": 0o400}]
    files = files_of({"configMap": {"name": "settings", "items": items}}, POD, find)
    assert files == {"deep/level.txt": File(b"low", 0o400)}


@pytest.mark.parametrize(
    "source",
    [
        {"configMap": {"name": "none"}},
        {"secret": {"secretName": "none"}},
        {"configMap": {"name": "settings", "items": [{"key": "none", "path": "x"}]}},
        {"projected": {"sources": [{"configMap": {"name": "none"}}]}},
    ],
)
def test_what_is_missing_is_waited_for_unless_it_is_optional(source) -> None:
    with pytest.raises(NotReady, match="none"):
        files_of(source, POD, find)
    [(kind, reference)] = source.items()
    if kind != "projected":
        assert files_of({kind: reference | {"optional": True}}, POD, find) == {}


def test_files_are_swapped_together_and_vanish_with_their_keys(tmp_path: Path) -> None:
    write(tmp_path, {"level": File(b"low", 0o644), "deep/mode": File(b"a", 0o644)})
    before = os.readlink(tmp_path / "..data")
    write(tmp_path, {"level": File(b"high", 0o600)})
    assert os.readlink(tmp_path / "..data") != before
    assert os.readlink(tmp_path / "level") == "..data/level"
    assert (tmp_path / "level").read_text() == "high"
    assert (tmp_path / "level").stat().st_mode & 0o777 == 0o600
    assert sorted(entry.name for entry in tmp_path.iterdir() if not entry.name.startswith("..")) == ["level"]
    assert not (tmp_path / before).exists()
