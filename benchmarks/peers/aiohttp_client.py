"""aiohttp's client: so many tasks, each asking again when it has its answer. Prints requests and its own CPU."""

import asyncio
import json
import sys
import time

import aiohttp
import uvloop


async def run(port: int, seconds: float, connections: int) -> dict[str, float]:
    end_s = time.monotonic() + seconds
    done = 0

    async def ask(session: aiohttp.ClientSession) -> None:
        nonlocal done
        while time.monotonic() < end_s:
            async with session.get(f"http://127.0.0.1:{port}/") as answer:
                assert (await answer.json())["greeting"] == "Hello"
            done += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        cpu_s, wall_s = time.process_time(), time.monotonic()
        await asyncio.gather(*(ask(session) for _ in range(connections)))
        cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
        return {"requests": done, "cpu_s": cpu_s, "wall_s": wall_s}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))))
