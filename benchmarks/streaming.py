"""How exactly, and at what cost, the engine times the events of streams.

    python benchmarks/streaming.py [--streams 200] [--events 500] [--every-ms 10] [--rounds 3] [--json FILE]

A server writes its own monotonic time into every event; both run on this machine, on one clock, pinned to a core each.
An error therefore holds the server's write, the kernel's loopback and the generator's read. For these times the ledger
has the bodies, and is in memory. The events of all streams come evenly spread over the time between two of one; "in
step" they come all at once, as from a server that works in batches: the generator reads one after the other.

What an event costs is measured without bodies and with the ledger on disk, beside the generator's own requests a CPU
second in the same round (as benchmarks/generator.py has them, in a closed loop on 32 kept connections):

  kept      as many streams as are timed, in a closed loop too: a connection has one after the other, all in step
  in_step   as many, each on a new connection, in step
  spread    as many, each on a new connection, spread; as_many is its ratio to unary requests on as many connections
  fast      32 streams, each on a new connection, with an event each millisecond

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
COSTS = tuple(
    f"{name}_{figure}"
    for name in ("kept", "in_step", "spread", "fast")
    for figure in ("events_per_cpu_s", "events_a_read", "times_unary")
)
FIGURES = (*ERRORS, *(f"in_step_{name}" for name in ERRORS), *COSTS, "spread_times_as_many")
FAST_EVERY_S, FAST_EVENTS = 0.001, 4000
KEPT_EVENTS = 400  # of one answer


def load(what: str, streams: int, events: int, every_s: float, spread_s: float) -> dict[str, float]:
    """So many streams at once, for their times or for their cost; their events are spread over spread_s."""
    with scripted("stream_server", events, every_s, core=SERVER_CORE) as (port, _):
        said, _ = pinned([sys.executable, str(PEERS / "streams.py"), str(port), str(streams), str(spread_s), what])
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return {**found, "events_per_cpu_s": found["events"] / found["cpu_s"]}


def measured(streams: int, events: int, every_s: float) -> dict[str, float]:
    """One round."""
    times, in_step = (load("times", streams, events, every_s, spread_s) for spread_s in (every_s, 0.0))
    costs = {
        "kept": load("kept", streams, KEPT_EVENTS, every_s, every_s),
        "in_step": load("cost", streams, events, every_s, 0.0),
        "spread": load("cost", streams, events, every_s, every_s),
        "fast": load("cost", CONNECTIONS, FAST_EVENTS, FAST_EVERY_S, FAST_EVERY_S),
    }
    with nginx(SERVER_CORE) as port:
        unary, as_many = (engine(port, 4.0, connections=number) for number in (CONNECTIONS, streams))
    for cost in costs.values():
        cost["times_unary"] = cost["events_per_cpu_s"] / (unary["requests"] / unary["cpu_s"])
    costs["spread"]["times_as_many"] = costs["spread"]["events_per_cpu_s"] / (as_many["requests"] / as_many["cpu_s"])
    named = {f"in_step_{name}": in_step[name] for name in ERRORS}
    each = {f"{name}_{figure}": value for name, cost in costs.items() for figure, value in cost.items()}
    return {**times, **named, **each}


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
