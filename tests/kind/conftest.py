"""The kind cluster that is up already: tests on it skip where there is none, and say so."""

import pytest

from seatrial.clusters.kind import KindCluster
from seatrial.errors import SeatrialError


@pytest.fixture(scope="session")
def cluster() -> KindCluster:
    """The cluster, attached."""
    kind = KindCluster()
    try:
        kind.attach()
    except SeatrialError as error:
        pytest.skip(f"no kind cluster: {error}")
    return kind
