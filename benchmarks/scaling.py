"""Whether several workers lose or double a request: the sum of their ledgers against the count of the server.

    python benchmarks/scaling.py [--rate 4000] [--seconds 20] [--rounds 3] [--json FILE]

What `seatrial load` runs, once with one Locust process and once with a master and two workers, each with a generator of
its own: one schedule of Poisson arrivals on kept connections, against a server that counts what it is asked. Ends with
1 where the ledgers together have one request more or less than the server, or less than the schedule.

Nothing is pinned: where the machine has no more than two CPUs, server, Locust and generators share them, so that this
says how a load is divided and not how much faster two are.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from servers import PEERS, said_at_end, scripted
from tables import machine, rows

from seatrial.loads.good import good
from seatrial.loads.locust_run import run_locust
from seatrial.loads.scenario import read_scenario
from seatrial.loads.stage_rows import opened
from seatrial.loads.workers import ThisMachine, run_workers

WORKERS = (1, 2)
NEVER_S = 1e9
LOCUST_OPTIONS = ("--headless", "--only-summary")
SCENARIO = """apiVersion: seatrial/v1
question: Is every request recorded once?
loadtest: hello_user
seed: 1
arrivals: poisson
connection: pooled
timeout_s: 10
stages:
  - {{name: steady, rate_rps: {rate_rps:g}, duration_s: {seconds:g}}}
slos: {{error_ratio: 0}}
"""
Found = dict[str, float]


def measured(count: int, rate_rps: float, seconds: float) -> Found:
    """One load by so many workers."""
    user = PEERS / "hello_user.py"
    with tempfile.TemporaryDirectory(prefix="seatrial-bench-") as name:
        folder = Path(name)
        file = folder / "scaling.yaml"
        file.write_text(SCENARIO.format(rate_rps=rate_rps, seconds=seconds), encoding="utf-8")
        scenario = read_scenario(file)
        with scripted("stalling_server", NEVER_S, NEVER_S, 0.0) as (port, server):
            host = f"http://127.0.0.1:{port}"
            if count == 1:
                recorded = run_locust(user, file, host, folder, LOCUST_OPTIONS, unseen)
            else:
                site = ThisMachine(user, file, folder)
                recorded = run_workers(count, site, user, scenario, host, folder, LOCUST_OPTIONS, unseen)
            counted = said_at_end(server)["requests"]
        with opened(recorded.ledgers) as kept:
            every, health = kept.every(), recorded.health
            return {
                "workers": count,
                "due": health.scheduled,
                "in_ledgers": len(every),
                "counted_by_server": counted,
                "not_right": every.count(lambda piece: ~good(piece)),
                "achieved_rps": (len(every) - 1) / float(np.ptp(every.values(lambda piece: piece.sent_s))),
                "start_lag_p99_ms": health.start_lag_p99_s * 1000,
                "start_lag_max_ms": health.start_lag_max_s * 1000,
                "generators_cpu_s": health.cpu_s,
            }


def unseen() -> None:
    """Nobody looks at where the load is."""


def differing(found: Sequence[Found]) -> list[Found]:
    """The loads in which a request is missing or was counted twice, or was answered wrongly."""
    return [
        each
        for each in found
        if not each["due"] == each["in_ledgers"] == each["counted_by_server"] or each["not_right"]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=4000.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = [measured(count, given.rate, given.seconds) for _ in range(given.rounds) for count in WORKERS]
    rows(list(found[0]), [[f"{value:.6g}" for value in each.values()] for each in found])
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(), "rate_rps": given.rate, "loads": found}, indent=1))
    if unequal := differing(found):
        sys.exit(f"expected each ledger to have what was due and what the server counted, found {unequal}")


if __name__ == "__main__":
    main()
