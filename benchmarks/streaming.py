"""How exactly, and at what cost, the engine times the events of streams.

    python benchmarks/streaming.py [--streams 200] [--events 500] [--every-ms 10] [--rounds 3] [--json FILE]

A server writes its own monotonic time into every event; both run on this machine, on one clock, pinned to a core each.
An error therefore holds the server's write, the kernel's loopback and the engine's read. Beside it, in the same round,
the engine's own requests a CPU second (as benchmarks/generator.py has them), since a ratio outlives a machine; those
are measured on a CPU that never rests, so a second load, "dense", has twice the streams. events_a_read shows that reads
did not bring several events at once, which would cost less.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from generator import SERVER_CORE, engine, pinned
from servers import PEERS, nginx, scripted
from tables import machine, of_rounds

OF_A_LOAD = ("events_per_cpu_s", "events_a_read", "times_unary")
FIGURES = (
    "first_event_error_p99_ms", "gap_error_p99_ms", "gap_error_max_ms",
    *OF_A_LOAD, *(f"dense_{name}" for name in OF_A_LOAD),
)  # fmt: skip
DENSE = 2


def load(streams: int, events: int, every_s: float) -> dict[str, float]:
    """So many streams at once."""
    with scripted("stream_server", events, every_s, core=SERVER_CORE) as (port, _):
        said, _ = pinned([sys.executable, str(PEERS / "streams.py"), str(port), str(streams)])
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return {**found, "events_per_cpu_s": found["events"] / found["cpu_s"]}


def measured(streams: int, events: int, every_s: float) -> dict[str, float]:
    """One round."""
    found, dense = load(streams, events, every_s), load(DENSE * streams, events, every_s)
    with nginx(SERVER_CORE) as port:
        unary = engine(port, 4.0)
    for each in (found, dense):
        each["times_unary"] = each["events_per_cpu_s"] / (unary["requests"] / unary["cpu_s"])
    return {**found, **{f"dense_{name}": value for name, value in dense.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--events", type=int, default=500)
    parser.add_argument("--every-ms", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rounds = [measured(given.streams, given.events, given.every_ms / 1000) for _ in range(given.rounds)]
    of_rounds(FIGURES, rounds)
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(), "rounds": rounds}, indent=1))


if __name__ == "__main__":
    main()
