"""Exact quantiles of the latencies in a ledger on disk. Prints them, the time they took, and memory."""

import json
import sys
import time
from pathlib import Path

from seatrial.traffic.ledger_file import LedgerFile


def main(file: Path, qs: list[float]) -> None:
    began_s = time.monotonic()
    with LedgerFile(file) as kept:
        found_s = kept.latency_quantiles(qs)
    seconds = time.monotonic() - began_s
    (memory,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    memory_mib = round(int(memory.split()[1]) / 1024, 1)
    print(json.dumps({"quantiles_s": found_s, "seconds": round(seconds, 3), "memory_mib": memory_mib}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [float(q) for q in sys.argv[2:]])
