"""Seatrial's engine with so many streams at once.

python streams.py PORT STREAMS times    how far its event times are from those that the server wrote
python streams.py PORT STREAMS cost     its CPU, the ledger on disk and without bodies, as under `seatrial load`
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import uvloop

from seatrial.observation import Ledger
from seatrial.traffic.adapters.openai_chat import OpenAIChat
from seatrial.traffic.engine import Engine
from seatrial.traffic.plan import OpenLoop, ServiceTarget


async def run(port: int, streams: int, file: Path | None) -> dict[str, float]:
    """Without a file, the ledger stays in memory and has the bodies, in which the server's times are."""
    engine = Engine()
    ask = OpenAIChat("clock").exchange("clock", "What time is it?")
    due_s = [0.5 + number / streams for number in range(streams)]
    target = ServiceTarget("server", "127.0.0.1", port)
    load = OpenLoop("streams", target, (ask,), due_s, keep="wrong" if file else "all")
    cpu_s, origin_s = time.process_time(), time.monotonic()
    started = await engine.start([load], origin_s, file=file)
    await started.finished
    cpu_s = time.process_time() - cpu_s
    ledger = started.ledger()
    assert not any(ledger.texts("error")), f"expected whole streams, found {set(ledger.texts('error'))}"
    reads = sum(len(np.unique(ledger.event_s[row.first_event : row.first_event + row.events])) for row in ledger)
    events = int(ledger.events.sum())
    found = {"streams": streams, "events": events, "events_a_read": events / reads, "cpu_s": cpu_s}
    return found if file else {**found, **errors(ledger, origin_s)}


def errors(ledger: Ledger, origin_s: float) -> dict[str, float]:
    """Quantiles over first events, and over the gaps between events, in milliseconds."""
    first_ms, gap_ms = errors_ms(ledger, origin_s)
    return {
        "first_event_error_p50_ms": float(np.quantile(first_ms, 0.5)),
        "first_event_error_p99_ms": float(np.quantile(first_ms, 0.99)),
        "gap_error_p50_ms": float(np.quantile(gap_ms, 0.5)),
        "gap_error_p99_ms": float(np.quantile(gap_ms, 0.99)),
        "gap_error_max_ms": float(gap_ms.max()),
    }


def errors_ms(ledger: Ledger, origin_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Of first events, and of the gaps between events: our time less the server's, without sign, in milliseconds."""
    first, gaps = [], []
    for row in ledger:
        ours_s = ledger.event_s[row.first_event : row.first_event + row.events] + origin_s
        said = [line[6:] for line in row.body.split("\n") if line.startswith("data: {")]
        theirs_s = np.array([int(json.loads(one)["choices"][0]["delta"]["content"]) for one in said]) / 1e9
        assert len(ours_s) == len(theirs_s), f"expected {len(theirs_s)} events, found {len(ours_s)}"
        first.append(abs(ours_s[0] - theirs_s[0]))
        gaps.append(np.abs(np.diff(ours_s) - np.diff(theirs_s)))
    return np.array(first) * 1000, np.concatenate(gaps) * 1000


if __name__ == "__main__":
    port, streams, what = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="seatrial-bench-") as folder:
        file = Path(folder) / "ledger.chunks" if what == "cost" else None
        print(json.dumps(uvloop.run(run(int(port), int(streams), file))))
