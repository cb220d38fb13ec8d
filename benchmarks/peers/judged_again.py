"""The objectives of a load's record, answered again from its ledger. Prints how many, the time it took, and memory."""

import json
import sys
import time
from pathlib import Path

from seatrial.record import RunRecord
from seatrial.suite.replay import answer_again


def main(folder: Path) -> None:
    began_s, cpu_s = time.monotonic(), time.process_time()
    replay = answer_again(RunRecord.open(folder), ())
    seconds, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    assert not replay.changed, replay.changed
    assert not replay.lost, replay.lost
    (memory,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    memory_mib = round(int(memory.split()[1]) / 1024, 1)
    found = {"verdicts": len(replay.again), "seconds": round(seconds, 2), "cpu_s": round(cpu_s, 2)}
    print(json.dumps({**found, "memory_mib": memory_mib}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
