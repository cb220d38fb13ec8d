"""Seatrial's generator, as `seatrial load` has it, with so many streams at once.

python streams.py PORT STREAMS EVERY_S times    how far its event times are from those that the server wrote
python streams.py PORT STREAMS EVERY_S cost     its CPU, the ledger on disk and without bodies
python streams.py PORT STREAMS EVERY_S kept     the same in a closed loop: each connection has stream after stream

The streams begin so that the events of all of them are spread evenly over EVERY_S; with 0 all begin at one moment, and
the server writes an event of each in turn, as one that works in batches.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from seatrial.ledger import Ledger
from seatrial.traffic.adapters.openai_chat import OpenAIChat
from seatrial.traffic.channel import ProcessChannel
from seatrial.traffic.generator import Generator
from seatrial.traffic.plan import ClosedLoop, Load, OpenLoop, ServiceTarget

LEAD_S, CLOSED_S, WITHIN_S = 1.0, 5.0, 300.0


def load(port: int, streams: int, every_s: float, what: str, start_s: float) -> Load:
    """One stream a connection, or as many as fit into CLOSED_S; for times with the bodies."""
    ask = (OpenAIChat("clock").exchange("clock", "What time is it?"),)
    target = ServiceTarget("server", "127.0.0.1", port)
    if what == "kept":
        return ClosedLoop("streams", target, ask, streams, start_s, start_s + CLOSED_S, seed=1)
    due_s = [start_s + number * every_s * (1 + 1 / streams) for number in range(streams)]
    return OpenLoop("streams", target, ask, due_s, keep="all" if what == "times" else "wrong")


def run(port: int, streams: int, every_s: float, what: str, file: Path) -> dict[str, float]:
    """For times the ledger stays in memory and has the bodies, in which the server's times are."""
    with Generator(ProcessChannel(), 0.0) as generator:
        generator.self_test()
        planned = load(port, streams, every_s, what, generator.now_s() + LEAD_S)
        started = generator.start([planned], None if what == "times" else file)
        ledger = started.collect(WITHIN_S)
        cpu_s = started.health().cpu_s
    assert not any(ledger.texts("error")), f"expected whole streams, found {set(ledger.texts('error'))}"
    reads = sum(len(np.unique(ledger.event_s[row.first_event : row.first_event + row.events])) for row in ledger)
    events = int(ledger.events.sum())
    found = {"streams": streams, "events": events, "events_a_read": events / reads, "cpu_s": cpu_s}
    return {**found, **errors(ledger)} if what == "times" else found


def errors(ledger: Ledger) -> dict[str, float]:
    """Quantiles over first events, and over the gaps between events, in milliseconds."""
    first_ms, gap_ms = errors_ms(ledger)
    return {
        "first_event_error_p50_ms": float(np.quantile(first_ms, 0.5)),
        "first_event_error_p99_ms": float(np.quantile(first_ms, 0.99)),
        "gap_error_p50_ms": float(np.quantile(gap_ms, 0.5)),
        "gap_error_p99_ms": float(np.quantile(gap_ms, 0.99)),
        "gap_error_max_ms": float(gap_ms.max()),
    }


def errors_ms(ledger: Ledger) -> tuple[np.ndarray, np.ndarray]:
    """Of first events, and of the gaps between events: our time less the server's, without sign, in milliseconds."""
    first, gaps = [], []
    for row in ledger:
        ours_s = ledger.event_s[row.first_event : row.first_event + row.events]
        said = [line[6:] for line in row.body.split("\n") if line.startswith("data: {")]
        theirs_s = np.array([int(json.loads(one)["choices"][0]["delta"]["content"]) for one in said]) / 1e9
        assert len(ours_s) == len(theirs_s), f"expected {len(theirs_s)} events, found {len(ours_s)}"
        first.append(abs(ours_s[0] - theirs_s[0]))
        gaps.append(np.abs(np.diff(ours_s) - np.diff(theirs_s)))
    return np.array(first) * 1000, np.concatenate(gaps) * 1000


if __name__ == "__main__":
    port, streams, every_s, what = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="seatrial-bench-") as folder:
        print(json.dumps(run(int(port), int(streams), float(every_s), what, Path(folder) / "ledger.chunks")))
