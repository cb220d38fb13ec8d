"""The process from start to exit code, told to stop as a pod is."""

import asyncio
import json

import httpx
import pytest
from openmed_reference import EXPRESSIONS, extract, process

SLOW = {"OPENMED_TEST_SLOW_MARKER": "slow"}


async def status_of(url: str) -> int:
    async with httpx.AsyncClient(verify=False) as client:
        return (await client.get(url, headers={"Host": "localhost"})).status_code


@pytest.mark.parametrize(
    ("environment", "code", "named"),
    [
        ({"BATCH_MAX_SIZE": "0"}, 2, "OPENMED_SERVICE_BATCH_MAX_SIZE"),
        ({"OPENMED_PROFILE": "staging"}, 2, "OPENMED_PROFILE"),
        ({"PRELOAD_MODELS": "no-such-model"}, 3, "no-such-model"),
        ({"SEATRIAL_FAULT": "no-such-fault"}, 2, "no-such-fault"),
    ],
)
async def test_what_cannot_work_ends_with_its_own_code(environment: dict[str, str], code: int, named: str) -> None:
    async with process(listens=False, **environment) as subject:
        assert await subject.exit_code() == code
    assert named in str(subject.events[-1])


async def test_what_is_in_flight_is_finished_on_a_listener_that_stays_open() -> None:
    """Told twice; one request in work, one whose body is half sent, one that comes too late."""
    async with process(PRELOAD_MODELS=EXPRESSIONS, **SLOW) as subject:
        await subject.said("ready")
        assert await status_of(subject.url + "/readyz") == 200
        in_work = await subject.open_post(extract("[[slow 4]]"))
        half_sent = await subject.open_post(extract(), send_share=0.5)
        await subject.has_in_flight(2)
        subject.terminate()
        await subject.said("drain_started")
        assert await status_of(subject.url + "/readyz") == 503
        await asyncio.sleep(0.3)
        subject.terminate()
        late = await subject.open_post(extract())
        assert await late.status() == 503
        assert await status_of(subject.url + "/livez") == 200
        await half_sent.send_rest()
        assert await half_sent.status() == 200
        assert await in_work.status() == 200
        assert await subject.exit_code() == 0
    assert subject.events[-1]["event"] == "drain_finished"
    assert subject.events[-1]["cut"] == 0
    assert len([line for line in subject.events if line["event"] == "drain_started"]) == 1


async def test_what_takes_longer_than_the_drain_is_cut_with_an_answer() -> None:
    async with process(SHUTDOWN_DRAIN_SECONDS="1", **SLOW) as subject:
        too_long = await subject.open_post(extract("[[slow 30]]"))
        await subject.has_in_flight(1)
        subject.terminate()
        assert await too_long.status() == 503
        assert await subject.exit_code() == 1
    assert subject.events[-1]["cut"] == 1


async def test_an_idle_keep_alive_connection_does_not_hold_the_process() -> None:
    async with process() as subject:
        idle = await subject.open_post(extract())
        assert await idle.status() == 200
        subject.terminate()
        assert await subject.exit_code() == 0


async def test_a_caller_that_hangs_up_frees_its_slot() -> None:
    async with process(RATE_LIMIT_MAX_CONCURRENCY="1", CONCURRENCY_WAIT_SECONDS="5", **SLOW) as subject:
        impatient = await subject.open_post(extract("[[slow 30]]"))
        await subject.has_in_flight(1)
        impatient.close()
        assert await (await subject.open_post(extract())).status() == 200


async def test_a_stop_while_loading_is_heard() -> None:
    async with process(PRELOAD_MODELS=EXPRESSIONS, OPENMED_TEST_LOAD_SECONDS="60") as subject:
        assert await status_of(subject.url + "/livez") == 200
        assert await status_of(subject.url + "/readyz") == 503
        subject.terminate()
        assert await subject.exit_code() == 0


async def test_what_is_not_http_is_refused_in_the_same_envelope() -> None:
    async with process() as subject:
        reader, writer = await asyncio.open_connection("127.0.0.1", subject.port)
        writer.write(b"NONSENSE\r\n\r\n")
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "bad_request"


async def test_logs_never_hold_text() -> None:
    async with process(PRELOAD_MODELS=EXPRESSIONS) as subject:
        await (await subject.open_post(extract("write to winterbottom@example.com"))).status()
        line = await subject.said("request")
    assert (line["route"], line["status"], line["model"]) == ("/pii/extract", 200, EXPRESSIONS)
    assert "winterbottom" not in str(subject.events)
