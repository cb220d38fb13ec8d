"""How exactly, and at what cost, the engine times the events of streams.

    python benchmarks/streaming.py [--streams 200] [--events 500] [--every-ms 10] [--rounds 3] [--json FILE]

A server writes its own monotonic time into every event; both run on this machine, on one clock, pinned to a core each.
An error therefore holds the server's write, the kernel's loopback and the engine's read. Beside it, in the same round,
the engine's own requests a CPU second (as benchmarks/generator.py has them), since a ratio outlives a machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from generator import PEERS, SERVER_CORE, engine, pinned
from servers import nginx
from tables import machine, of_rounds

FIGURES = ("first_event_error_p99_ms", "gap_error_p99_ms", "gap_error_max_ms", "events_per_cpu_s", "times_unary")


@contextlib.contextmanager
def stream_server(events: int, every_s: float) -> Iterator[int]:
    """A streaming chat service on the server's core; its port."""
    command = ["taskset", "-c", str(SERVER_CORE), sys.executable, str(PEERS / "stream_server.py")]
    server = subprocess.Popen([*command, str(events), str(every_s)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline())
    finally:
        server.terminate()
        server.wait()


def measured(streams: int, events: int, every_s: float) -> dict[str, float]:
    """One round."""
    with stream_server(events, every_s) as port:
        said, _ = pinned([sys.executable, str(PEERS / "streams.py"), str(port), str(streams)])
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    with nginx(SERVER_CORE) as port:
        unary = engine(port, 4.0)
    found["events_per_cpu_s"] = found["events"] / found["cpu_s"]
    found["times_unary"] = found["events_per_cpu_s"] / (unary["requests"] / unary["cpu_s"])
    return found


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
