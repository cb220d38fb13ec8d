"""How exactly, and at what cost, the engine times the events of streams.

    python benchmarks/streaming.py [--streams 200] [--events 500] [--every-ms 10] [--rounds 3] [--json FILE]

A server writes its own monotonic time into every event; both run on this machine, on one clock, pinned to a core each.
An error therefore holds the server's write, the kernel's loopback and the generator's read. For these times the ledger
has the bodies, and is in memory. The events of all streams come evenly spread over the time between two of one; "in
step" they come all at once, as from a server that works in batches: the generator reads one after the other.

What an event costs is measured without bodies and with the ledger on disk, beside the generator's own requests a CPU
second in the same round (as benchmarks/generator.py has them): on as many connections, 32, with an event each
millisecond. "many" has the streams that the times were measured with, whose CPU rests between two events.
events_a_read shows that reads did not bring several events at once, which would cost less.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from generator import CONNECTIONS, SERVER_CORE, engine, pinned
from servers import PEERS, nginx, scripted
from tables import machine, of_rounds

ERRORS = ("first_event_error_p99_ms", "gap_error_p99_ms", "gap_error_max_ms")
COSTS = ("events_per_cpu_s", "events_a_read", "times_unary")
FIGURES = (*ERRORS, *(f"in_step_{name}" for name in ERRORS), *COSTS, *(f"many_{name}" for name in COSTS))
FAST_EVERY_S, FAST_EVENTS = 0.001, 4000


def load(what: str, streams: int, events: int, every_s: float, spread_s: float) -> dict[str, float]:
    """So many streams at once, for their times or for their cost; their events are spread over spread_s."""
    with scripted("stream_server", events, every_s, core=SERVER_CORE) as (port, _):
        said, _ = pinned([sys.executable, str(PEERS / "streams.py"), str(port), str(streams), str(spread_s), what])
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return {**found, "events_per_cpu_s": found["events"] / found["cpu_s"]}


def measured(streams: int, events: int, every_s: float) -> dict[str, float]:
    """One round."""
    times, in_step = (load("times", streams, events, every_s, spread_s) for spread_s in (every_s, 0.0))
    cost = load("cost", CONNECTIONS, FAST_EVENTS, FAST_EVERY_S, FAST_EVERY_S)
    many = load("cost", streams, events, every_s, every_s)
    with nginx(SERVER_CORE) as port:
        unary = engine(port, 4.0)
    for each in (cost, many):
        each["times_unary"] = each["events_per_cpu_s"] / (unary["requests"] / unary["cpu_s"])
    named = {f"in_step_{name}": in_step[name] for name in ERRORS}
    return {**times, **named, **cost, **{f"many_{name}": value for name, value in many.items()}}


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
