"""Seatrial's own engine: a closed loop, or Poisson arrivals at a rate. Prints requests, its own CPU and its lag."""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import uvloop

from seatrial.traffic import arrivals
from seatrial.traffic.engine import Engine, health
from seatrial.traffic.plan import ClosedLoop, Exchange, Load, OpenLoop, ServiceTarget


def load(port: int, seconds: float, connections: int, rate_rps: float, path: str) -> Load:
    """Closed loop where the rate is 0."""
    target = ServiceTarget("server", "127.0.0.1", port)
    ask = (Exchange("hello", "GET", path, expect={"greeting": "Hello"}),)
    if not rate_rps:
        return ClosedLoop("closed", target, ask, connections, 0.0, seconds, seed=1)
    due_s = arrivals.poisson(rate_rps, 0.0, seconds, seed=1)
    return OpenLoop("open", target, ask, due_s, connection="pooled")


async def run(planned: Load, file: Path) -> dict[str, float]:
    """What it takes to send all of it, and to put its ledger on disk."""
    engine = Engine()
    cpu_s, wall_s = time.process_time(), time.monotonic()
    started = await engine.start([planned], wall_s, file=file)
    await started.finished
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
    ledger = started.ledger()
    lags = health([started])
    return {
        "requests": len(ledger),
        "not_right": int((~ledger.right).sum()),
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "start_lag_p99_ms": lags["start_lag_p99_s"] * 1000,
        "latency_p50_ms": float(np.quantile(ledger.latency_s, 0.5)) * 1000,
    }


if __name__ == "__main__":
    port, seconds, connections, rate_rps, path = sys.argv[1:]
    planned = load(int(port), float(seconds), int(connections), float(rate_rps), path)
    with tempfile.TemporaryDirectory(prefix="seatrial-bench-") as folder:
        print(json.dumps(uvloop.run(run(planned, Path(folder) / "ledger.chunks"))))
