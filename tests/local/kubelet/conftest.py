"""A Store and a kubelet on it; everything the pods started is gone after the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kubelet_pods import Node

from seatrial.clusters.local.kubelet.images import ImageMap
from seatrial.clusters.local.kubelet.kubelet import Kubelet
from seatrial.clusters.local.store import Store


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    store = Store()
    kubelet = Kubelet(store, ImageMap(), tmp_path / "kubelet")
    await kubelet.start()
    yield Node(store, kubelet)
    await kubelet.stop()
