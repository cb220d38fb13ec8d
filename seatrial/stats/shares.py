"""How connections spread over replicas. Connections are the unit, not requests."""

from __future__ import annotations

from collections.abc import Mapping

import scipy

from seatrial.errors import InputError
from seatrial.stats import ALPHA, LOOKS, Decision
from seatrial.stats.proportions import judge_proportion


def _total(connections: Mapping[str, int]) -> int:
    total = sum(connections.values())
    if len(connections) < 2 or total < 1 or min(connections.values()) < 0:
        raise InputError(
            f"traffic shares: expected connections to 2 or more replicas, found {dict(connections)}; "
            "name every ready replica, with 0 where it got none"
        )
    return total


def judge_minimum_share(connections: Mapping[str, int], alpha: float = ALPHA) -> dict[str, Decision]:
    """Per ready replica: whether it gets at least half of an even share. Raises InputError below 2 replicas.

    The level for failing is divided by the number of replicas, since any one of them may fail wrongly. The
    level for passing is not: the whole passes only if every replica does.
    """
    total = _total(connections)
    replicas = len(connections)
    return {
        pod: judge_proportion(total - count, total, 1 - 0.5 / replicas, alpha / replicas)
        for pod, count in connections.items()
    }


def judge_random_share(connections: Mapping[str, int], alpha: float = ALPHA) -> dict[str, Decision]:
    """Per replica: whether its count fits routing that is declared uniformly random. Raises InputError as above.

    Exact binomial test against 1/k, two-sided, at alpha over the number of replicas. It can refute the
    declaration, not prove it: a `pass` claims no more than the power of n connections.
    """
    total = _total(connections)
    replicas = len(connections)
    tail = alpha / replicas / LOOKS / 2

    def fits(count: int) -> bool:
        below = float(scipy.stats.binom.cdf(count, total, 1 / replicas))
        above = float(scipy.stats.binom.sf(count - 1, total, 1 / replicas))
        return below > tail and above > tail

    return {pod: "pass" if fits(count) else "fail" for pod, count in connections.items()}
