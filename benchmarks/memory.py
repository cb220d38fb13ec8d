"""What memory a generator takes that keeps every request of a long run, how soon exact quantiles are there, and what
memory the report of such a run takes.

    python benchmarks/memory.py [--requests 10000000] [--folder FOLDER] [--json FILE]
    python benchmarks/memory.py --engine [--rate 5000] [--seconds 60] ...
    python benchmarks/memory.py --report [--requests 10000000] [--events 20] ...

The first records made-up requests through the engine's own recorder, from a schedule of as many arrivals, as fast as it
can. With --engine the generator's own process gets the schedule over its channel and sends it to nginx, at a rate, for
so many seconds: what it has to hold is the whole schedule from the first on, and what it has sent is on disk.
Memory is the most that the process ever had resident (VmHWM of proc(5)), its interpreter and libraries included. The
quantiles are of all latencies, taken from the ledger on disk in a process of its own, and compared with those of a
sorted copy in memory. With --report the record of a load of made-up requests (with --events, of streams of so many
events) is judged again in a process of its own, as `seatrial verify` does. What was written is removed afterwards.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from generator import SERVER_CORE
from servers import PEERS, nginx
from tables import machine, rows

from seatrial.traffic.channel import ProcessChannel
from seatrial.traffic.generator import Generator
from seatrial.traffic.ledger_file import LedgerFile
from seatrial.traffic.plan import Exchange, OpenLoop, ServiceTarget

QS = (0.5, 0.9, 0.95, 0.99, 0.999)
BYTES_A_ROW = 150


def peer(name: str, *given: object) -> dict[str, object]:
    """What a process of its own prints."""
    said = subprocess.run(
        [sys.executable, str(PEERS / f"{name}.py"), *map(str, given)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    found: dict[str, object] = json.loads(said.splitlines()[-1])
    return found


def recorded(requests: int, file: Path) -> dict[str, object]:
    """Made-up requests through the recorder."""
    return peer("recorder", requests, file)


def sent(requests: int, rate_rps: float, seconds: float, file: Path) -> dict[str, object]:
    """Real requests through the generator's process."""
    ask = (Exchange("hello", "GET", "/", expect={"greeting": "Hello"}),)
    arrivals_s, picks = np.arange(requests) / rate_rps, np.zeros(requests, np.int32)
    with nginx(SERVER_CORE) as port, Generator(ProcessChannel(), time.monotonic()) as generator:
        (agent,) = children()
        load = OpenLoop("open", ServiceTarget("server", "127.0.0.1", port), ask, arrivals_s, picks, connection="pooled")
        begun_s = time.monotonic()
        run = generator.start_now([load], lead_s=0.5, file=file)
        began_s = time.monotonic()
        while not run.fresh()[1]:
            time.sleep(0.5)  # as Locust's user asks
            if time.monotonic() > began_s + seconds:
                run.stop()
        health = run.health()
        found: dict[str, object] = {
            "requests scheduled": requests,
            "requests sent": health.sent,
            "schedule_sent_s": round(began_s - begun_s, 2),
            "seconds": round(time.monotonic() - began_s, 1),
            "cpu_s": round(health.cpu_s, 1),
            "start_lag_p99_ms": round(health.start_lag_p99_s * 1000, 3),
            "start_lag_max_ms": round(health.start_lag_max_s * 1000, 1),
            "loop_lag_max_ms": round(health.loop_lag_max_s * 1000, 1),
            "memory_mib": peak_mib(agent),
        }
    return found


def children() -> list[int]:
    """The processes that this one has started and that still run, but servers."""
    found = Path("/proc/self/task").glob("*/children")
    processes = [int(number) for file in found for number in file.read_text().split()]
    return [one for one in processes if b"seatrial.traffic.agent" in Path(f"/proc/{one}/cmdline").read_bytes()]


def peak_mib(process: int) -> float:
    """The most that it ever had resident."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise SystemExit(f"expected VmHWM of process {process}, found none; this needs Linux")


def of_sorted(file: Path) -> list[float]:
    """The same quantiles from all latencies in memory."""
    with LedgerFile(file) as kept:
        latency_s = kept.column("ended_s") - kept.column("scheduled_s")
    latency_s = latency_s[~np.isnan(latency_s)]
    return [float(value) for value in np.quantile(latency_s, QS, method="inverted_cdf")]


def of_generator(given: argparse.Namespace, folder: Path) -> tuple[dict[str, object], object]:
    """What recording took, and reading the quantiles; the quantiles."""
    file = folder / "ledger.chunks"
    engine, requests = given.engine, given.requests
    run = sent(requests, given.rate, given.seconds, file) if engine else recorded(requests, file)
    read = peer("quantiles", file, *QS)
    figures: dict[str, object] = {
        **{f"generator: {name}": value for name, value in run.items()},
        "ledger: bytes": file.stat().st_size,
        "quantiles: seconds": read["seconds"],
        "quantiles: memory_mib": read["memory_mib"],
        "quantiles: equal to those of a sorted copy": read["quantiles_s"] == of_sorted(file),
    }
    return figures, read["quantiles_s"]


def of_report(given: argparse.Namespace, folder: Path) -> dict[str, object]:
    """What judging a load's record again takes."""
    made = peer("made_load", given.requests, folder, given.events)
    size = (folder / "ledger.chunks").stat().st_size
    took = {f"report: {name}": value for name, value in peer("judged_again", folder).items()}
    return {**made, "ledger: bytes": size, **took}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000_000)
    parser.add_argument("--engine", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--events", type=int, default=0)
    parser.add_argument("--rate", type=float, default=5000.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    free, needed = shutil.disk_usage(given.folder).free, (BYTES_A_ROW + 8 * given.events) * given.requests
    if free < 2 * needed:
        raise SystemExit(f"expected twice {needed} bytes free in {given.folder}, found {free}")
    quantiles_s: object = None
    with tempfile.TemporaryDirectory(prefix="seatrial-memory-", dir=given.folder) as name:
        if given.report:
            figures = of_report(given, Path(name))
        else:
            figures, quantiles_s = of_generator(given, Path(name))
    rows(("figure", "value"), list(figures.items()))
    if given.json:
        document = {"machine": machine(), "engine": given.engine, "rows": figures, "quantiles_s": quantiles_s}
        given.json.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
