"""Promises everything there is, so that every trial can be run on it. Its model says back what it was asked."""

import asyncio
import json
import math
import os
import signal
import time

LOAD_S = 0.5  # the model being loaded
LINGER_S = 1.0  # after SIGTERM, for endpoints and proxies to notice that this pod goes
UPSTREAM, ASK_EVERY_S, STALE_S = "upstream", 0.25, 1.0
BOUNDS = (1, 2, 3, 4, 8)  # of the histogram of batch sizes


class Refused(Exception):
    """An answer that is none."""

    def __init__(self, status, why, **headers):
        super().__init__(why)
        self.status, self.body, self.headers = status, {"error": why}, headers


class Bucket:
    """Tokens that come back at a rate."""

    def __init__(self, per_second, burst):
        self.per_second, self.burst, self.tokens, self.at_s = per_second, burst, burst, time.monotonic()

    def take(self):
        """Take a token; how long there is none, 0 if there was one."""
        now_s = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now_s - self.at_s) * self.per_second)
        self.at_s = now_s
        if self.tokens < 1:
            return (1 - self.tokens) / self.per_second
        self.tokens -= 1
        return 0.0


class Model:
    """Runs batches: one that is full at once, any other when its first request has waited long enough."""

    def __init__(self, size, delay_s, run_s, burn_s):
        self.size, self.delay_s, self.run_s, self.burn_s = size, delay_s, run_s, burn_s
        self.waiting, self.timer, self.sizes = [], None, []

    async def answer(self, asked):
        loop, place = asyncio.get_running_loop(), asyncio.Future()
        self.waiting.append((asked, place))
        if len(self.waiting) == self.size:
            self.run()
        elif len(self.waiting) == 1:
            self.timer = loop.call_later(self.delay_s, self.run)
        return await place

    def run(self):
        if self.timer:
            self.timer.cancel()
        batch, self.waiting, self.timer = self.waiting, [], None
        self.sizes.append(len(batch))
        until_s = time.process_time() + self.burn_s * len(batch)
        while time.process_time() < until_s:
            pass
        seconds = max(float(asked.get("seconds", self.run_s)) for asked, _ in batch)
        asyncio.get_running_loop().call_later(seconds, self.finish, batch)

    @staticmethod
    def finish(batch):
        for asked, place in batch:
            if place.done():
                continue  # whoever asked has gone
            if asked["n"] == "poison":
                place.set_exception(Refused(500, "unreadable"))
            else:
                place.set_result({"n": asked["n"]})

    def metrics(self):
        counts = [(str(bound), sum(size <= bound for size in self.sizes)) for bound in BOUNDS]
        counts.append(("+Inf", len(self.sizes)))
        return "".join(
            (
                "# TYPE toy_batch_size histogram\n",
                *(f'toy_batch_size_bucket{{le="{bound}"}} {count}\n' for bound, count in counts),
                f"toy_batch_size_sum {sum(self.sizes)}\ntoy_batch_size_count {len(self.sizes)}\n",
                f"# TYPE toy_model_runs counter\ntoy_model_runs_total {len(self.sizes)}\n",
            )
        )


class Toy:
    def __init__(self, model, bucket, slots, budget_s, name):
        self.model, self.bucket, self.slots, self.budget_s, self.name = model, bucket, slots, budget_s, name
        self.loaded, self.working, self.upstream_s = False, 0, -math.inf
        self.stopping = asyncio.Event()
        self.connections = {}  # and whether each is amid a request

    # what is asked

    async def get(self, path):
        if path == "/metrics":
            return self.model.metrics()
        if path not in ("/live", "/ready"):
            raise Refused(404, "no such path")
        if path == "/ready" and not self.loaded:
            raise Refused(503, "loading")
        return {"ok": True}

    async def post(self, path, asked, writer):
        if path not in ("/echo", "/v1/chat/completions"):
            raise Refused(404, "no such path")
        if not self.loaded or time.monotonic() - self.upstream_s > STALE_S:
            raise Refused(503, "not now")
        if wait_s := self.bucket.take():
            raise Refused(429, "too fast", **{"Retry-After": math.ceil(wait_s)})
        if self.working >= self.slots:
            raise Refused(503, "busy")
        self.working += 1
        try:
            return await (self.model.answer(asked) if path == "/echo" else self.chat(asked, writer))
        finally:
            self.working -= 1

    async def chat(self, asked, writer):
        """An event for each word, spread over so many seconds, then the end: finish_reason, usage, [DONE]."""
        words = ["dear", *asked["messages"][-1]["content"].split(), ",", "goodbye"]
        pause_s = float(asked.get("metadata", {}).get("seconds", 0.1)) / len(words)
        writer.write(self.head(200, "text/event-stream", **{"Transfer-Encoding": "chunked"}))
        for number, word in enumerate(words):
            await asyncio.sleep(pause_s)
            await event(writer, chunk({"content": f" {word}" if number else word}))
        usage = {"prompt_tokens": 1, "completion_tokens": len(words), "total_tokens": 1 + len(words)}
        await event(writer, chunk({}, "stop"))
        await event(writer, {**chunk({}), "choices": [], "usage": usage})
        await event(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")

    # HTTP

    async def connection(self, reader, writer):
        """Requests of one client, one after the other, until it or a drain ends that."""
        self.connections[writer] = False
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.connections[writer] = True
                length = head.lower().partition("content-length:")[2].split()[:1]
                body = await reader.readexactly(int(length[0]) if length else 0)
                method, path = head.split(" ")[:2]
                try:
                    answer = await (self.get(path) if method == "GET" else self.post(path, json.loads(body), writer))
                    if answer is not None:
                        self.write(writer, 200, answer)
                except Refused as refused:
                    self.write(writer, refused.status, refused.body, **refused.headers)
                await writer.drain()
                self.connections[writer] = False
                if self.stopping.is_set() or "connection: close" in head.lower():
                    break
        except (OSError, EOFError):
            pass  # the client has gone
        finally:
            del self.connections[writer]
            writer.close()

    def head(self, status, kind, **headers):
        if self.stopping.is_set():
            headers["Connection"] = "close"
        lines = {"Content-Type": kind, "X-Served-By": self.name, **headers}
        return "\r\n".join((f"HTTP/1.1 {status} -", *(f"{k}: {v}" for k, v in lines.items()), "", "")).encode()

    def write(self, writer, status, answer, **headers):
        kind, text = ("text/plain", answer) if isinstance(answer, str) else ("application/json", json.dumps(answer))
        body = text.encode()
        writer.write(self.head(status, kind, **headers, **{"Content-Length": len(body)}) + body)

    # life

    async def load(self, weights):
        """Ready once the weights are whole, which they never are where the environment says so."""
        await asyncio.sleep(LOAD_S)
        if weights != "intact":
            print(f"weights {weights}", flush=True)
        self.loaded = weights == "intact"

    async def ask_upstream(self):
        """Whether the upstream is there, again and again: without it there are no answers, and nothing else is lost."""
        while True:
            try:
                async with asyncio.timeout(STALE_S):
                    reader, writer = await asyncio.open_connection(UPSTREAM, 8080)
                    try:
                        writer.write(f"GET / HTTP/1.1\r\nHost: {UPSTREAM}\r\nConnection: close\r\n\r\n".encode())
                        if (await reader.readline()).split()[1:2] == [b"200"]:
                            self.upstream_s = time.monotonic()
                    finally:
                        writer.close()
            except OSError:
                pass
            await asyncio.sleep(ASK_EVERY_S)

    async def serve(self, host):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.stopping.set)
        server = await asyncio.start_server(self.connection, host, 8080, backlog=128)
        background = [asyncio.create_task(self.load(os.environ.get("WEIGHTS", "intact")))]
        background.append(asyncio.create_task(self.ask_upstream()))
        await self.stopping.wait()
        print("draining", flush=True)
        until_s = time.monotonic() + self.budget_s
        await asyncio.sleep(LINGER_S)
        server.close()
        while any(self.connections.values()) and time.monotonic() < until_s:
            await asyncio.sleep(0.02)
        for task in background:
            task.cancel()


def chunk(delta, finish_reason=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"object": "chat.completion.chunk", "model": "toy", "choices": [choice]}


async def event(writer, data):
    text = f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
    writer.write(b"%x\r\n%b\r\n" % (len(text), text))
    await writer.drain()


async def main():
    def number(name):
        return float(os.environ[name])

    model = Model(number("BATCH_SIZE"), number("BATCH_DELAY_MS") / 1000, number("RUN_S"), number("BURN_S"))
    bucket = Bucket(number("RATE_PER_S"), number("RATE_BURST"))
    toy = Toy(model, bucket, number("SLOTS"), number("DRAIN_BUDGET_S"), os.environ["POD_NAME"])
    await toy.serve(os.environ["POD_IP"])


asyncio.run(main())
