"""An adapter of a user's own: refused with its line where it does not load, and carried out by a real agent."""

import asyncio
import contextlib
import shutil
import threading
import time
from pathlib import Path

import pytest
import yaml

from seatrial.content import content
from seatrial.errors import INTERRUPTS, InputError
from seatrial.ledger import RIGHT, WRONG
from seatrial.traffic.adapters.apis import adapter_of, kinds, read
from seatrial.traffic.adapters.base import Reply, Settings
from seatrial.traffic.channel import ProcessChannel
from seatrial.traffic.generator import Generator
from seatrial.traffic.plan import Exchange, Lone, ServiceTarget, Source

REPOSITORY = Path(__file__).parents[3]
# Lines of numbers, ended by the line "end": no JSON and no event stream.
LINES = '''
"""Lines of numbers."""
from __future__ import annotations

from dataclasses import dataclass

from seatrial.traffic.adapters.base import Reply
from seatrial.traffic.plan import Exchange


class Reader:
    needs_body = False

    def __init__(self):
        self._rest, self._lines = b"", []

    def feed(self, body):
        *lines, self._rest = (self._rest + body).split(b"\\n")
        self._lines += lines
        return sum(line.isdigit() for line in lines)

    def reply(self, status, body):
        whole = bool(self._lines) and self._lines[-1] == b"end"
        text = " ".join(line.decode() for line in self._lines if line.isdigit())
        return Reply("" if status == 200 and whole else "expected a line that says end", text)


@dataclass(frozen=True)
class Adapter:
    path: str

    generates = True
    readers = {"lines": Reader}

    @classmethod
    def of(cls, settings):
        return cls(settings.path)

    def exchange(self, case, given, expect=None, tolerance=0.0):
        return Exchange(case, "GET", f"{self.path}?upto={given}", expect=expect, tolerance=tolerance, api="lines")
'''


def source(text):
    return Source("charts/mine/lines.py", text)


def changed(old, new):
    assert old in LINES
    return source(LINES.replace(old, new))


@pytest.fixture
def numbers():
    """A port that answers with the lines 0, 1, 2 and `end`, a moment apart."""

    async def answer(reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
            for line in (b"0\n", b"1\n", b"2\n", b"end\n"):
                await asyncio.sleep(0.03)
                writer.write(line)
                await writer.drain()
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield ServiceTarget("lines", "127.0.0.1", server.sockets[0].getsockname()[1])
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=5)


@pytest.fixture(params=["this machine", "its image"])
def generator(request, tmp_path, monkeypatch):
    """A real agent: as on this machine, and with no more of Seatrial than its image has."""
    if request.param == "its image":
        recipe = yaml.safe_load(
            (content("charts") / "images" / "seatrial-agent.image.yaml").read_text(encoding="utf-8")
        )
        for name in recipe["include"]:
            here, there = REPOSITORY / name, tmp_path / "image" / name
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(here, there) if here.is_dir() else shutil.copy(here, there)
        assert not (tmp_path / "image" / "seatrial" / "documents.py").exists()
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "image"))
        monkeypatch.chdir(tmp_path)
    with Generator(ProcessChannel(), time.monotonic()) as opened:
        yield opened


def asked(adapter, expect, comparator="equals"):
    exchange = adapter_of("", adapter).of(Settings(path="/count")).exchange("c", 3, expect)
    return Exchange(
        exchange.case, exchange.method, exchange.path, expect=expect, comparator=comparator, api="lines", source=adapter
    )


def test_it_reads_answers_in_the_agents_own_process_and_its_events_are_timed(generator, numbers):
    exchanges = (asked(source(LINES), "0 1 2"), asked(source(LINES), "1 2", "contains"), asked(source(LINES), "0 1"))
    rows = list(generator.start_now([Lone("s", numbers, exchanges, 0.01, 3, 0.01)]).collect(10))
    assert [row.correct for row in rows] == [RIGHT, RIGHT, WRONG]
    assert [row.events for row in rows] == [3, 3, 3]


def test_events_of_an_own_adapter_have_the_times_at_which_they_came(generator, numbers):
    ledger = generator.start_now([Lone("s", numbers, (asked(source(LINES), "0 1 2"),), 0.01, 1, 0.0)]).collect(10)
    assert (ledger.event_s[1:] - ledger.event_s[:-1]).min() > 0.015


@pytest.mark.parametrize(
    ("adapter", "told"),
    [
        (
            changed("return sum(line.isdigit() for line in lines)", "return lines[0].isdigits()"),
            "lines.py, line 20: expected an adapter that works, found AttributeError: .* when an answer was read",
        ),
        (
            changed("return sum(line.isdigit() for line in lines)", "return lines"),
            "lines.py: expected feed to return int",
        ),
        (
            changed("return sum(line.isdigit() for line in lines)", "raise SystemExit(0)"),
            "lines.py, line 20: expected an adapter that works, found SystemExit: 0 when an answer was read",
        ),
        (changed("return Reply(", "return ("), "lines.py: expected reply to return Reply"),
        (changed("self._rest, self._lines = b", "self._rest, self._lines, more = b"), "line 15: .* ValueError"),
    ],
    ids=["feed raises", "feed returns", "feed exits", "reply returns", "no reader"],
)
def test_its_own_mistake_ends_the_run_and_is_no_finding_about_the_service(generator, numbers, adapter, told):
    run = generator.start_now([Lone("s", numbers, (asked(adapter, "0 1 2"),), 0.01, 1, 0.0)])
    with pytest.raises(InputError, match=told):
        run.collect(10)


def test_an_agent_refuses_a_name_that_the_adapter_has_no_reader_for(generator, numbers):
    other = Exchange("c", "GET", "/", api="rows", source=source(LINES))
    with pytest.raises(InputError, match=r"lines\.py: expected exchanges whose `api` is one of lines, .* found 'rows'"):
        generator.start_now([Lone("s", numbers, (other,), 0.01, 1, 0.0)])


@pytest.mark.parametrize(
    ("adapter", "told"),
    [
        (source("class Adapter:\n    def"), "lines.py, line 2: expected an adapter in Python, found "),
        (source("import yaml\n"), "lines.py, line 1: expected imports that generators have .* found yaml; do without"),
        (source("from . import x\n"), "lines.py, line 1: expected imports .* found .; do"),
        (source("\nfrom seatrial import charts\n"), "line 2: expected imports .* found seatrial.charts;"),
        (source("from seatrial.trafficking import x\n"), "line 1: expected imports"),
        (source("a = 1\nb = a / 0\n"), "lines.py, line 2: expected an adapter that works, found ZeroDivisionError"),
        (source("import sys\nsys.exit()\n"), "line 2: expected an adapter that works, found SystemExit while it was"),
        (source("class Halt(BaseException): ...\nraise Halt(7)\n"), "line 2: .* found Halt: 7 while it was loaded"),
        (source("a = 1\n"), "lines.py: expected a class Adapter, found none"),
        (source("Adapter = 1\n"), "lines.py: expected a class Adapter, found none"),
        (changed("    generates = True\n", ""), "lines.py: expected an Adapter with .* found none of the name gen"),
        (changed('{"lines": Reader}', "[Reader]"), "lines.py: expected Adapter.readers to map"),
        (changed('{"lines": Reader}', '{"lines": None}'), "lines.py: expected Adapter.readers to map"),
    ],
    ids=range(13),
)
def test_one_that_does_not_load_is_refused_with_its_line(adapter, told):
    with pytest.raises(InputError, match=told):
        adapter_of("", adapter)


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_an_interrupt_while_one_is_loaded_stays_an_interrupt(interrupt):
    text = f"from {interrupt.__module__} import {interrupt.__name__}\nraise {interrupt.__name__}\n"
    with pytest.raises(interrupt):
        adapter_of("", source(text))


def test_an_answer_that_is_all_there_is_read_by_it_too():
    assert read("lines", 200, b"7\n8\nend\n", source(LINES)) == Reply("", "7 8")


def test_the_engines_own_are_found_in_their_folder_by_what_a_contract_calls_them():
    assert set(kinds()) == {"json", "openai-chat", "openai-completions", "open-inference"}
    for name, adapter in kinds().items():
        assert name in adapter.readers
    apis = [api for adapter in kinds().values() for api in adapter.readers]
    assert len(apis) == len(set(apis))
    apis = [api for adapter in kinds().values() for api in adapter.readers]
    assert len(apis) == len(set(apis))


@pytest.mark.parametrize(
    ("kind", "told"),
    [("openai-chats", "did you mean openai-chat?"), ("jsn", "did you mean json?"), ("grpc", "or name a file")],
)
def test_an_unknown_kind_is_refused_with_the_nearest(kind, told):
    with pytest.raises(InputError, match="kind: expected one of json, open-inference, openai-chat") as refused:
        adapter_of(kind)
    assert told in str(refused.value)
