"""Streams of a contract's API, sent as a trial sends them: timed, and told apart by how they ended."""

import asyncio

import numpy as np
import orjson
import pytest
import yaml

from seatrial.contract import Streaming, read_contract
from seatrial.ledger import RIGHT, WRONG
from seatrial.traffic.plan import OpenLoop
from seatrial.traffic.reading import NO_HTTP_END
from seatrial.trials import workload
from seatrial.trials.streams import ending

WORDS = ["one", " two", " three"]
USAGE = {"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 3}}
DONE = b"data: [DONE]\n\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


@pytest.fixture
def contract(tmp_path):
    cases = [{"request": f"Count {n}", "equals": "one two three" if n == 0 else f"other {n}"} for n in range(16)]
    chat = {"kind": "openai-chat", "model": "m", "streaming": {"usage": True}, "cases": cases}
    document = {"apiVersion": "seatrial/v1", "name": "chat", "apis": {"chat": chat}}
    (tmp_path / "contract.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return read_contract(tmp_path)


def event(value):
    return b"data: " + orjson.dumps(value) + b"\n\n"


def words(finish="stop"):
    return [
        event({"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": finish if last else None}]})
        for word, last in zip(WORDS, (False, False, True), strict=True)
    ]


def answers(*events, end=END, head=HEAD):
    async def handler(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        for number, body in enumerate(events):
            await asyncio.sleep(0.06 if number == 2 else 0.01)
            writer.write(b"%x\r\n%s\r\n" % (len(body), body) if head == HEAD else body)
            await writer.drain()
        writer.write(end)

    return handler


def sent(run_loads, contract, handler, case=0):
    exchanges = workload.streams(contract)
    ledger, _ = run_loads(handler, lambda target: [OpenLoop("s", target, exchanges, [0.0], [case], keep="all")])
    (row,) = ledger
    return ledger, row, ending(row, exchanges[case], contract.promise(Streaming))


def test_a_whole_stream_is_right_and_each_of_its_events_has_its_time(run_loads, contract):
    ledger, row, ended = sent(run_loads, contract, answers(*words(), event(USAGE), DONE))
    assert (row.correct, row.events, row.output_tokens, ended) == (RIGHT, 3, 3, "whole")
    assert 0.05 < np.diff(ledger.event_s[row.first_event : row.first_event + row.events]).max() < 1.0


@pytest.mark.parametrize(
    ("handler", "case", "told"),
    [
        (answers(*words(), event(USAGE), DONE), 1, "wrong"),
        (answers(*words(), DONE), 0, "without usage"),
        (answers(*words(), event(USAGE)), 0, "without its end"),
        (answers(*words(finish=None), event(USAGE), DONE), 0, "without its end"),
        (answers(*words()[:2], DONE), 0, "without its end"),
        (answers(*words()[:2], event({"error": {"message": "the pod is stopping"}})), 0, "told"),
        (answers(*words()[:2], end=b""), 0, "cut"),
        (answers(*words(), event(USAGE), DONE, end=b""), 0, "cut"),  # a right answer, for it had its end mark
        (answers(b"busy", end=b"", head=b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\n"), 0, "refused"),
    ],
    ids=["another text", "no usage", "no mark", "no reason", "marker early", "error", "cut", "no HTTP end", "503"],
)
def test_streams_are_told_apart_by_how_they_ended(run_loads, contract, handler, case, told):
    _, row, ended = sent(run_loads, contract, handler, case)
    assert ended == told
    assert row.correct == (RIGHT if told == "without usage" or row.problem.startswith(NO_HTTP_END) else WRONG)


def test_a_stream_that_nobody_took_is_cut(run_loads, contract):
    async def closes(reader, writer):
        writer.close()

    assert sent(run_loads, contract, closes)[2] == "cut"
