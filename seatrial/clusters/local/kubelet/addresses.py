"""Loopback addresses for pods, none given twice while there are others."""

import random
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

# 127.64.0.0/11 without the block next to it that holds the ClusterIPs (127.96.0.0/16).
POD_NETWORK = IPv4Network("127.64.0.0/11")


class Addresses:
    """Hands out pod addresses. Starts at random: two clusters on one machine must not meet."""

    def __init__(self, seed: int | None = None) -> None:
        self._in_use: set[str] = set()
        self._candidates = self._cycle(random.Random(seed).randrange(POD_NETWORK.num_addresses))

    @staticmethod
    def _cycle(first: int) -> Iterator[str]:
        offset = first
        while True:
            address: IPv4Address = POD_NETWORK[offset % POD_NETWORK.num_addresses]
            if address.packed[3] not in (0, 255):
                yield str(address)
            offset += 1

    def take(self) -> str:
        """A free address."""
        address = next(candidate for candidate in self._candidates if candidate not in self._in_use)
        self._in_use.add(address)
        return address

    def give_back(self, address: str) -> None:
        self._in_use.discard(address)
