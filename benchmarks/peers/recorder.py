"""As many made-up requests as it is told, through Seatrial's recorder into a file. Prints time and memory."""

import json
import sys
import time
from pathlib import Path

import numpy as np

from seatrial.traffic.ledger_writer import LedgerWriter
from seatrial.traffic.recorder import Recorder

AT_ONCE = 4096


def main(requests: int, file: Path) -> None:
    draw = np.random.Generator(np.random.PCG64(1))
    # The schedule, as a generator holds it: when each is due, and what it asks.
    arrivals_s, picks = np.arange(requests, dtype=np.float64), np.full(requests, 1, dtype=np.int32)
    arrivals_s *= 1e-4
    recorder = Recorder(LedgerWriter(file, 0.0))
    stream, cases = recorder.code("open"), [recorder.code("hello"), recorder.code("again")]
    headers = recorder.text_code('{"server":"nginx"}')
    began_s, cpu_s = time.monotonic(), time.process_time()
    for first in range(0, requests, AT_ONCE):
        due_s, asked = arrivals_s[first : first + AT_ONCE], picks[first : first + AT_ONCE]
        ended_s = due_s + draw.lognormal(-4.0, 1.0, len(due_s))
        for scheduled_s, end_s, pick in zip(due_s.tolist(), ended_s.tolist(), asked.tolist(), strict=True):
            recorder.lag_s.append(1e-4)
            recorder.add(
                scheduled_s, scheduled_s + 1e-4, scheduled_s + 1e-4, scheduled_s + 2e-4, end_s, end_s, 0, 7, 231, 0,
                stream, cases[pick], 0, 0, 200, 0, 1, 40_000, headers, 0, -1, -1, 0,
            )  # fmt: skip
    recorder.keep()
    recorder.sink.close()
    assert recorder.sink.failure is None, recorder.sink.failure
    (memory,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    print(
        json.dumps(
            {
                "requests": len(recorder),
                "seconds": round(time.monotonic() - began_s, 1),
                "cpu_s": round(time.process_time() - cpu_s, 1),
                "memory_mib": round(int(memory.split()[1]) / 1024, 1),
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
