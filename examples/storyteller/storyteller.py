"""Tells stories the way OpenAI's chat API does, streamed or whole. Every story begins with words from a library.

The library is the one dependency: an HTTP server whose GET / answers {"text": "Once upon a time"}. Stories that need
it are refused while it is out (503), and told again as soon as it is back; nothing else depends on it.
"""

import asyncio
import json
import os
import signal

STORY = "set sail at dawn, met a whale, learned its song, lost the wind, found the coast and came home ."
PATIENCE_S = 2.0  # with the library
LINGER_S = 2.5  # after SIGTERM, for endpoints and proxies to notice that this pod goes


class Refused(Exception):
    """An answer that is no story: a status and OpenAI's error object."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.body = status, {"error": {"message": message, "code": status}}


class Library:
    """A pool of kept connections; one that broke is made anew by the next request."""

    def __init__(self, host, port, connections=4):
        self.host, self.port = host, port
        self.places = asyncio.Semaphore(connections)
        self.idle = []

    async def opening(self):
        """The first words of a story. Raises OSError (TimeoutError included) while the library is out."""
        async with asyncio.timeout(PATIENCE_S), self.places:
            if self.idle:
                try:
                    return await self.ask(self.idle.pop())
                except (OSError, EOFError):
                    self.idle.clear()  # closed by the library while idle, and so are the others, most likely
            return await self.ask(await self.connect())

    async def connect(self):
        return await asyncio.open_connection(self.host, self.port)

    async def ask(self, connection):
        reader, writer = connection
        try:
            writer.write(f"GET / HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            body = await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
            opening = json.loads(body)["text"]
        except asyncio.IncompleteReadError as cut:
            writer.close()
            raise ConnectionResetError("the library hung up") from cut
        except BaseException:
            writer.close()
            raise
        self.idle.append(connection)
        return opening


class Storyteller:
    def __init__(self, name, library, slots, budget_s):
        self.name, self.library, self.slots, self.budget_s = name, library, slots, budget_s
        self.telling = 0  # stories under way
        self.loaded = False
        self.connections = {}  # of clients, and whether each is amid a request
        self.stopping = asyncio.Event()

    # GET

    async def live(self):
        """The event loop turns: nothing that a restart would not mend is asked."""
        return True

    async def ready(self):
        return self.loaded

    # POST

    async def chat(self, asked, writer):
        if not self.loaded:
            raise Refused(503, "loading")
        if self.telling >= self.slots:
            raise Refused(503, "busy")
        self.telling += 1
        try:
            try:
                name = asked["messages"][-1]["content"]
                seconds = float(asked.get("metadata", {}).get("seconds", 0.15))
            except (LookupError, TypeError, ValueError):
                raise Refused(400, "messages: expected a list of messages with content") from None
            try:
                words = [await self.library.opening(), f"{name}", *STORY.split()]
            except OSError:
                raise Refused(503, "the library is out") from None
            if asked.get("stream"):
                await self.stream(words, seconds, writer)
            else:
                await asyncio.sleep(seconds)
                choice = {"message": {"role": "assistant", "content": " ".join(words)}, "finish_reason": "stop"}
                whole = {"object": "chat.completion", "model": "storyteller", "choices": [{"index": 0, **choice}]}
                await self.answer(writer, 200, {**whole, "usage": usage(words)})
        finally:
            self.telling -= 1

    async def stream(self, words, seconds, writer):
        """An event for each word, spread over so many seconds, then the end: finish_reason, usage, [DONE]."""
        self.begin_stream(writer)
        for number, word in enumerate(words):
            await self.pause(seconds / len(words))
            await self.word(writer, number, word)
        await self.event(writer, chunk({}, "stop"))
        await self.event(writer, {**chunk({}), "choices": [], "usage": usage(words)})
        await self.event(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")

    async def pause(self, seconds):
        await asyncio.sleep(seconds)

    async def word(self, writer, number, word):
        await self.event(writer, chunk({"content": f" {word}" if number else word}))

    def begin_stream(self, writer):
        writer.write(self.head(200, "text/event-stream") + b"Transfer-Encoding: chunked\r\n\r\n")

    async def event(self, writer, data):
        text = f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
        writer.write(b"%x\r\n%b\r\n" % (len(text), text))
        await writer.drain()

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
                await self.request(head.split(" ")[:2], body, writer)
                await writer.drain()
                self.connections[writer] = False
                if self.stopping.is_set() or "connection: close" in head.lower():
                    break
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass  # the client has gone
        finally:
            del self.connections[writer]
            writer.close()

    async def request(self, asked, body, writer):
        try:
            if asked in (["GET", "/live"], ["GET", "/ready"]):
                good = await (self.live() if asked[1] == "/live" else self.ready())
                await self.answer(writer, 200 if good else 503, {"ok": good})
            elif asked == ["POST", "/v1/chat/completions"]:
                try:
                    question = json.loads(body)
                except ValueError:
                    raise Refused(400, "expected JSON") from None
                await self.chat(question, writer)
            else:
                raise Refused(404, "no such path")
        except Refused as refused:
            await self.answer(writer, refused.status, refused.body)

    def head(self, status, kind):
        last = "Connection: close\r\n" if self.stopping.is_set() else ""
        return f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nX-Served-By: {self.name}\r\n{last}".encode()

    async def answer(self, writer, status, value):
        body = json.dumps(value).encode()
        writer.write(self.head(status, "application/json") + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    # life

    async def load(self):
        """Ready once a story could be told: the library was reached."""
        await asyncio.sleep(3)  # the model being loaded
        while not self.loaded:
            try:
                await self.library.opening()
                self.loaded = True
            except OSError:
                await asyncio.sleep(0.5)

    async def drain(self, server):
        """Go on accepting for a moment, then finish what is open, for as long as the budget lasts."""
        print("draining", flush=True)
        until_s = asyncio.get_running_loop().time() + self.budget_s
        await asyncio.sleep(LINGER_S)
        server.close()
        while any(self.connections.values()) and asyncio.get_running_loop().time() < until_s:
            await asyncio.sleep(0.02)

    async def run(self, host, port):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.stopping.set)
        server = await asyncio.start_server(self.connection, host, port, backlog=128)
        loading = asyncio.create_task(self.load())
        await self.stopping.wait()
        loading.cancel()
        await self.drain(server)


def chunk(delta, finish_reason=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"object": "chat.completion.chunk", "model": "storyteller", "choices": [choice]}


def usage(words):
    return {"prompt_tokens": 1, "completion_tokens": len(words), "total_tokens": 1 + len(words)}


async def main():
    host, _, port = os.environ["LIBRARY"].partition(":")
    library, slots, budget_s = Library(host, int(port)), int(os.environ["SLOTS"]), float(os.environ["DRAIN_BUDGET_S"])
    teller = Storyteller(os.environ["POD_NAME"], library, slots, budget_s)
    await teller.run(os.environ["POD_IP"], 8080)


if __name__ == "__main__":
    asyncio.run(main())
