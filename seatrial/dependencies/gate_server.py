"""The gate as a program of its pod.

    python -m seatrial.dependencies.gate_server --port 5432 --backend database-backend:5432 [--http]

It listens on $POD_IP. What it does is switched, and its counts are read, by `gate_control` in the same pod: one line of
JSON asks, one line answers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
from dataclasses import asdict
from typing import Any

from seatrial.dependencies.gate import MODES, Gate
from seatrial.dependencies.gate_control import CONTROL_PORT


async def answer(gate: Gate, asked: Any) -> dict[str, Any]:
    """Do what a line of control asks for; what is so then. Raises ValueError for what means nothing."""
    match asked:
        case {"do": "read"}:
            pass
        case {"do": "cut"}:
            await gate.cut()
        case {"do": "slow", "delay_s": float(delay_s), "bytes_per_s": float(bytes_per_s)}:
            await gate.switch("slow", delay_s=delay_s, bytes_per_s=bytes_per_s)
        case {"do": "open" | "refuse" | "stall" as mode}:
            await gate.switch(mode)
        case _:
            raise ValueError(f"expected read, cut or one of {', '.join(MODES)}, found {asked!r}")
    return {"mode": gate.mode.name, "counts": asdict(gate.counts)}


async def serve(gate: Gate, control_port: int) -> None:
    """Run the gate and its control, a line of JSON each way, until SIGTERM."""

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            if line := await reader.readline():
                try:
                    said = await answer(gate, json.loads(line))
                except (ValueError, OSError) as refused:
                    said = {"error": str(refused)}
                writer.write(json.dumps(said).encode() + b"\n")
                await writer.drain()
            writer.close()

    await gate.start()
    server = await asyncio.start_server(control, gate.host, control_port)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    print(f"gate on {gate.host}:{gate.port} to {gate.backend[0]}:{gate.backend[1]}", flush=True)
    await ended.wait()
    server.close()
    await gate.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="A gate before a dependency.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--backend", required=True, metavar="HOST:PORT")
    parser.add_argument("--http", action="store_true", help="count requests")
    options = parser.parse_args()
    host, _, port = options.backend.rpartition(":")
    gate = Gate(os.environ["POD_IP"], options.port, (host, int(port)), http=options.http)
    asyncio.run(serve(gate, CONTROL_PORT))


if __name__ == "__main__":
    main()
