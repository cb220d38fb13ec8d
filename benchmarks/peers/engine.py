"""Seatrial's own engine: a closed loop, or Poisson arrivals at a rate. Prints requests, its own CPU and its lag."""

import json
import sys
import time

import numpy as np
import uvloop

from seatrial.traffic import arrivals
from seatrial.traffic.engine import Engine, health
from seatrial.traffic.plan import ClosedLoop, Exchange, Load, OpenLoop, ServiceTarget

ASK = (Exchange("hello", "GET", "/", expect={"greeting": "Hello"}),)


def load(port: int, seconds: float, connections: int, rate_rps: float) -> Load:
    """Closed loop where the rate is 0."""
    target = ServiceTarget("server", "127.0.0.1", port)
    if not rate_rps:
        return ClosedLoop("closed", target, ASK, connections, 0.0, seconds, seed=1)
    due_s = arrivals.poisson(rate_rps, 0.0, seconds, seed=1).tolist()
    return OpenLoop("open", target, ASK, due_s, connection="pooled")


async def run(port: int, seconds: float, connections: int, rate_rps: float) -> dict[str, float]:
    engine = Engine()
    planned = load(port, seconds, connections, rate_rps)
    cpu_s, wall_s = time.process_time(), time.monotonic()
    started = await engine.start([planned], wall_s)
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
    port, seconds, connections, rate_rps = sys.argv[1:]
    print(json.dumps(uvloop.run(run(int(port), float(seconds), int(connections), float(rate_rps)))))
