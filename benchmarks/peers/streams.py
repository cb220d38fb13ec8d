"""Seatrial's engine with so many streams at once; how far its event times are from those that the server wrote."""

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


async def run(port: int, streams: int, file: Path) -> dict[str, float]:
    engine = Engine()
    ask = OpenAIChat("clock").exchange("clock", "What time is it?")
    due_s = [0.5 + number / streams for number in range(streams)]
    load = OpenLoop("streams", ServiceTarget("server", "127.0.0.1", port), (ask,), due_s, keep="all")
    cpu_s, origin_s = time.process_time(), time.monotonic()
    started = await engine.start([load], origin_s, file=file)
    await started.finished
    cpu_s = time.process_time() - cpu_s
    ledger = started.ledger()
    first_ms, gap_ms = errors_ms(ledger, origin_s)
    reads = sum(len(np.unique(ledger.event_s[row.first_event : row.first_event + row.events])) for row in ledger)
    events = len(gap_ms) + len(first_ms)
    return {
        "streams": streams,
        "events": events,
        "events_a_read": events / reads,
        "cpu_s": cpu_s,
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
        assert not row.error, f"expected whole streams, found {row.error}"
        ours_s = ledger.event_s[row.first_event : row.first_event + row.events] + origin_s
        said = [line[6:] for line in row.body.split("\n") if line.startswith("data: {")]
        theirs_s = np.array([int(json.loads(one)["choices"][0]["delta"]["content"]) for one in said]) / 1e9
        assert len(ours_s) == len(theirs_s), f"expected {len(theirs_s)} events, found {len(ours_s)}"
        first.append(abs(ours_s[0] - theirs_s[0]))
        gaps.append(np.abs(np.diff(ours_s) - np.diff(theirs_s)))
    return np.array(first) * 1000, np.concatenate(gaps) * 1000


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="seatrial-bench-") as folder:
        print(json.dumps(uvloop.run(run(int(sys.argv[1]), int(sys.argv[2]), Path(folder) / "ledger.chunks"))))
