"""A queue whose law is known: M/M/c, Poisson arrivals at c servers of exponential times, first come, first served.

Source: Gross and Harris, "Fundamentals of Queueing Theory", section 2.3. Four servers that take 10 requests/s each.
"""

from __future__ import annotations

import math

import numpy as np
import scipy
from numpy.typing import NDArray

SERVERS, SERVER_RPS = 4, 10.0
WARM_UP = 2000  # requests before those that are kept


def late_share(rate_rps: float, limit_s: float) -> float:
    """The share of requests that take longer, wait and work together."""
    offered, blocked = rate_rps / SERVER_RPS, 1.0
    for servers in range(1, SERVERS + 1):
        blocked = offered * blocked / (servers + offered * blocked)
    waits = blocked / (1 - rate_rps / (SERVERS * SERVER_RPS) * (1 - blocked))
    drain_rps = SERVERS * SERVER_RPS - rate_rps
    work, wait = math.exp(-SERVER_RPS * limit_s), math.exp(-drain_rps * limit_s)
    return (1 - waits) * work + waits * (drain_rps * work - SERVER_RPS * wait) / (drain_rps - SERVER_RPS)


def longest_s(share: float, rate_rps: float) -> float:
    """The limit that just this share exceeds: the rate is the highest that keeps it."""
    return float(scipy.optimize.brentq(lambda limit_s: late_share(rate_rps, limit_s) - share, 1e-6, 1e3))


def sojourns_s(rate_rps: float, runs: int, requests: int, random: np.random.Generator) -> NDArray[np.float64]:
    """How long each request takes, shape (runs, requests), in the order of arrival; runs have warmed up."""
    free_s, now_s = np.zeros((runs, SERVERS)), np.zeros(runs)
    found, run = np.empty((runs, requests)), np.arange(runs)
    for place in range(-WARM_UP, requests):
        now_s += random.exponential(1 / rate_rps, runs)
        server = free_s.argmin(axis=1)
        ended_s = np.maximum(now_s, free_s[run, server]) + random.exponential(1 / SERVER_RPS, runs)
        free_s[run, server] = ended_s
        if place >= 0:
            found[:, place] = ended_s - now_s
    return found
