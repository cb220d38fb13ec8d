"""Whether an open loop keeps its schedule, and whether what it reports of a server that stalls is true.

    python benchmarks/openloop.py [--seconds 60] [--rounds 3] [--json FILE]

Two loads, each pinned to a core of its own, the server to another:

schedule   2,000 requests/s, Poisson, on nginx. The achieved rate, from the moments at which requests were really sent,
           against the drawn one; the 99th percentile of the start lag.
stalls     500 requests/s on a server that answers one request after the other and stands still for 1 s in every 20.
           The p99 that the engine reports against the one that follows from the schedule: Lindley's recursion for a
           queue with one server, with the stalls as the server's own clock had them, the cost of a request as its CPU
           time says, and the way there and back as the median outside of stalls has it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from generator import SERVER_CORE, pinned
from numpy.typing import NDArray
from servers import PEERS, nginx, said_at_end, scripted
from tables import machine, of_rounds

from seatrial.ledger import Ledger
from seatrial.traffic.recorder import unpack

Floats = NDArray[np.float64]
RATE_RPS, STALLED_RPS = 2000.0, 500.0
FIRST_S, EVERY_S, FOR_S = 5.0, 20.0, 1.0
FIGURES = (
    "rate_error_percent", "start_lag_p99_ms", "start_lag_max_ms",
    "p99_reported_ms", "p99_truth_ms", "p99_error_percent",
)  # fmt: skip


def sent(port: int, rate_rps: float, seconds: float) -> tuple[Ledger, dict[str, float]]:
    """The ledger of one load, and what the engine says of itself."""
    with tempfile.TemporaryDirectory(prefix="seatrial-bench-") as folder:
        file = Path(folder) / "ledger.npz"
        said, _ = pinned([sys.executable, str(PEERS / "open_loop.py"), *map(str, (port, rate_rps, seconds, file))])
        health: dict[str, float] = json.loads(said.splitlines()[-1])
        ledger = unpack(file.read_bytes())
    wrong = int((~ledger.right).sum())
    if wrong or len(ledger) != health["due"]:
        raise SystemExit(f"expected {health['due']} right answers, found {len(ledger)} rows and {wrong} not right")
    return ledger, health


def schedule_kept(seconds: float) -> dict[str, float]:
    """How far the achieved rate is from the drawn one, and how late requests were."""
    with nginx(SERVER_CORE) as port:
        ledger, health = sent(port, RATE_RPS, seconds)
    drawn_rps = (len(ledger) - 1) / float(np.ptp(ledger.scheduled_s))
    achieved_rps = (len(ledger) - 1) / float(np.ptp(ledger.sent_s))
    return {
        "rate_error_percent": abs(achieved_rps / drawn_rps - 1) * 100,
        "start_lag_p99_ms": health["start_lag_p99_s"] * 1000,
        "start_lag_max_ms": health["start_lag_max_s"] * 1000,
    }


def stalls_told(seconds: float) -> dict[str, float]:
    """The reported p99 and the true one."""
    with scripted("stalling_server", FIRST_S, EVERY_S, FOR_S, core=SERVER_CORE) as (port, server):
        ledger, _ = sent(port, STALLED_RPS, seconds)
        said = said_at_end(server)
    stalls = [(began_s, ended_s) for began_s, ended_s in said["stalls"]]
    truth_s = queueing_truth_s(ledger.scheduled_s, stalls, said["request_cost_s"])
    calm = ledger.latency_s[truth_s <= 2 * said["request_cost_s"]]
    truth_s = truth_s - said["request_cost_s"] + float(np.median(calm))
    reported_ms, true_ms = (p99(each) * 1000 for each in (ledger.latency_s, truth_s))
    return {
        "p99_reported_ms": reported_ms,
        "p99_truth_ms": true_ms,
        "p99_error_percent": abs(reported_ms / true_ms - 1) * 100,
    }


def queueing_truth_s(due_s: Floats, stalls: list[tuple[float, float]], cost_s: float) -> Floats:
    """Latency of each arrival at one server that works in their order and not at all within stalls, shape (n,)."""
    free_s, found = -np.inf, np.empty(len(due_s))
    for number, at_s in enumerate(due_s.tolist()):
        start_s = max(at_s, free_s)
        for began_s, ended_s in stalls:
            if began_s <= start_s < ended_s:
                start_s = ended_s
        free_s = start_s + cost_s
        found[number] = free_s - at_s
    return found


def p99(values: Floats) -> float:
    """As reports have it: the smallest observed value with 99 % at or below it."""
    return float(np.quantile(values, 0.99, method="inverted_cdf"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rounds = [{**schedule_kept(given.seconds), **stalls_told(given.seconds)} for _ in range(given.rounds)]
    of_rounds(FIGURES, rounds)
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(), "rounds": rounds}, indent=1))


if __name__ == "__main__":
    main()
