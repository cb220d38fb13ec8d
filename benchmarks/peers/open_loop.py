"""Seatrial's generator, as `seatrial load` has it, with Poisson arrivals; keeps the ledger in a file.

Times are those of this machine's monotonic clock.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from seatrial.traffic import arrivals
from seatrial.traffic.channel import ProcessChannel
from seatrial.traffic.generator import Generator
from seatrial.traffic.plan import Exchange, OpenLoop, ServiceTarget
from seatrial.traffic.recorder import pack

ASK = (Exchange("hello", "GET", "/", expect={"greeting": "Hello"}),)
LEAD_S, TIMEOUT_S = 2.0, 10.0


def run(port: int, rate_rps: float, seconds: float, file: Path) -> dict[str, object]:
    generator = Generator(ProcessChannel(), 0.0)
    try:
        generator.self_test()
        start_s = generator.now_s() + LEAD_S
        due_s = arrivals.poisson(rate_rps, start_s, start_s + seconds, seed=1)
        target = ServiceTarget("server", "127.0.0.1", port)
        load = OpenLoop("open", target, ASK, due_s.tolist(), connection="pooled", timeout_s=TIMEOUT_S)
        started = generator.start([load])
        file.write_bytes(pack(started.collect(LEAD_S + seconds + TIMEOUT_S + 60)))
        return {"due": len(due_s), **asdict(generator.health(started))}
    finally:
        generator.close()


if __name__ == "__main__":
    port, rate_rps, seconds, file = sys.argv[1:]
    print(json.dumps(run(int(port), float(rate_rps), float(seconds), Path(file))))
