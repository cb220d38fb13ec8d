"""How often objectives near saturation are decided, and how often wrongly.

    nice -n 19 python benchmarks/saturation.py [--runs 200] [--seed 1] [--json FILE]

M/M/4 queues (queues.py) at 0.95 and 1.05 of the rate at which just the allowed share of requests is late. Each run's
first 3,000 and its first 12,000 requests are judged as `seatrial load` does, and by the exact bounds for independent
requests. `inflation` is the variance of the share over that of as many independent requests, over all runs. Then the
same for independent requests, whose decisions are what dependence costs where there is none. Ends with 1 where more
than 16 in 200 are wrong.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from queues import SERVER_RPS, SERVERS, late_share, longest_s, sojourns_s
from tables import machine, rows

from seatrial.stats.dependence import Dependence, dependence, share_bounds
from seatrial.stats.intervals import Interval

UTILISATIONS = (0.80, 0.82, 0.85, 0.90)
ALLOWED = (0.5, 0.1, 0.05, 0.01)
OF_THE_MOST = (0.95, 1.05)
REQUESTS = (3_000, 12_000)
INDEPENDENT = ((0.01, 0.001), (0.01, 0.003), (0.01, 0.005), (0.01, 0.02), (0.05, 0.03), (0.05, 0.07), (0.5, 0.45))
INDEPENDENT_REQUESTS = (300, 1_000, 10_000)
MOST_WRONG = 16 / 200


def decided(bounds: Interval, allowed: float) -> str:
    """What `seatrial load` says by these bounds."""
    return "missed" if bounds.low > allowed else "held" if bounds.high <= allowed else "undecided"


def counted(runs: Iterable[NDArray[np.float64]], limit_s: float, allowed: float, truly: str) -> dict[str, int]:
    """Right and wrong decisions over runs, by the dependence that is seen, and as if there were none."""
    found = {"right": 0, "wrong": 0, "right as if independent": 0, "wrong as if independent": 0}
    for latency_s in runs:
        late = latency_s > limit_s
        n, events = len(late), int(late.sum())
        for worth, beside in ((dependence(latency_s, late), ""), (Dependence(n, n, 1.0, 0), " as if independent")):
            said = decided(share_bounds(events, worth), allowed)
            if said != "undecided":
                found[("right" if said == truly else "wrong") + beside] += 1
    return found


def queues(runs: int, seed: int) -> list[dict[str, object]]:
    """Near saturation."""
    random, found = np.random.default_rng(seed), []
    for utilisation in UTILISATIONS:
        most_rps = utilisation * SERVERS * SERVER_RPS
        for of_the_most in OF_THE_MOST:
            latencies_s = sojourns_s(of_the_most * most_rps, runs, max(REQUESTS), random)
            for allowed in ALLOWED:
                limit_s = longest_s(allowed, most_rps)
                true = late_share(of_the_most * most_rps, limit_s)
                for requests in REQUESTS:
                    taken = latencies_s[:, :requests]
                    shares = (taken > limit_s).mean(axis=1)
                    found.append({
                        "utilisation at the most": utilisation, "rate / the most": of_the_most, "allowed": allowed,
                        "requests": requests, "inflation": round(float(shares.var() * requests / (true * (1 - true)))),
                        **counted(taken, limit_s, allowed, "held" if true <= allowed else "missed"),
                    })  # fmt: skip
    return found


def independent(runs: int, seed: int) -> list[dict[str, object]]:
    """Requests that have nothing to do with each other."""
    random, found = np.random.default_rng(seed), []
    for requests in INDEPENDENT_REQUESTS:
        for allowed, true in INDEPENDENT:
            taken = random.exponential(size=(runs, requests))
            truly = "held" if true <= allowed else "missed"
            seen = counted(taken, -math.log(true), allowed, truly)
            found.append({"allowed": allowed, "true share": true, "requests": requests, **seen})
    return found


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--runs", type=int, default=200)
    given.add_argument("--seed", type=int, default=1)
    given.add_argument("--json", type=Path)
    options = given.parse_args()
    near, alone = queues(options.runs, options.seed), independent(options.runs, options.seed)
    for found in (near, alone):
        rows(list(found[0]), [list(each.values()) for each in found])
        print()
    if options.json:
        document = {"machine": machine(), "runs": options.runs, "queues": near, "independent": alone}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(int(str(each["wrong"])) > MOST_WRONG * options.runs for each in near))


if __name__ == "__main__":
    main()
