"""Healthy services that take few requests at once and refuse the rest without a wait, as declared."""

from __future__ import annotations

from openmed_service.errors import ApiError
from openmed_service.server import Server
from planting import Fired, odd

# Short work: 2,000 answers one by one have to come within two minutes, on a busy machine, too.
ONE = {
    "limits": {"concurrency": {"limit": 1}},
    "batching": {
        "max_delay_ms": {"value": "config.batching.maxWaitMs", "set": 1},
        "values": {"extraEnv": [{"name": "OPENMED_TEST_RUN_SECONDS", "value": "0"}]},
    },
}
TWO = {
    "limits": {"concurrency": {"limit": 2}},
    "batching": {
        "max_delay_ms": {"value": "config.batching.maxWaitMs", "set": 1},
        "values": {"extraEnv": [{"name": "OPENMED_TEST_RUN_SECONDS", "value": "0"}]},
    },
}
FOUR = {
    "limits": {"concurrency": {"limit": 4}},
    "batching": {
        "max_delay_ms": {"value": "config.batching.maxWaitMs", "set": 1},
        "values": {"extraEnv": [{"name": "OPENMED_TEST_RUN_SECONDS", "value": "0"}]},
    },
}


def _takes(server: Server, fired: Fired, at_once: int) -> None:
    gate = server.service.gate
    gate.limit, gate.wait_s = at_once, 0
    acquire = gate.acquire

    async def reported(key: str) -> None:
        try:
            await acquire(key)
        except ApiError:
            fired()
            raise

    gate.acquire = reported  # type: ignore[method-assign]


@odd("takes-one-at-a-time", spares={"B1", "D7"}, contract=ONE)
def takes_one_at_a_time(server: Server, fired: Fired) -> None:
    """One request at a time; the next is refused."""
    _takes(server, fired, 1)


@odd("takes-two-at-a-time", spares={"B1", "D7"}, contract=TWO)
def takes_two_at_a_time(server: Server, fired: Fired) -> None:
    """Two requests at a time; the third is refused."""
    _takes(server, fired, 2)


@odd("takes-four-at-a-time", spares={"B1", "D7"}, contract=FOUR)
def takes_four_at_a_time(server: Server, fired: Fired) -> None:
    """Four requests at a time; the fifth is refused."""
    _takes(server, fired, 4)
