"""Slots that are counted wrongly, and slots that are lost: each shows in how many requests are worked on at once."""

import asyncio
import time

import pytest
from openmed_faults import PLANTED, armed, assert_fired, fired_in
from openmed_reference import at_once, client, extract, server, statuses
from openmed_service.server import Server

TWO = {"RATE_LIMIT_MAX_CONCURRENCY": "2", "CONCURRENCY_WAIT_SECONDS": "0.01", "OPENMED_TEST_RUN_SECONDS": "0.2"}
FAILS = {"OPENMED_TEST_FAIL_MARKER": "POISON"}


async def crowd(subject: Server, requests: int = 6) -> dict[int, int]:
    async with client(subject) as connected:
        return statuses(await at_once(connected, [extract(f"text {index}") for index in range(requests)]))


@pytest.mark.parametrize(("name", "let_in"), [("slot-counted-late", 6), ("one-slot-too-many", 3)])
async def test_more_slots_than_declared(name: str, let_in: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert await crowd(server(**TWO)) == {200: 2, 503: 4}
    subject = armed(name, **TWO)
    await subject.service.preload()
    assert (await crowd(subject)).get(200) == let_in
    assert_fired(capsys, name)


async def test_a_slot_that_rests_after_a_refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = armed("slots-rest-after-refusals", **TWO)
    assert [await crowd(subject) for _ in range(2)] == [{200: 2, 503: 4}, {200: 1, 503: 5}]
    assert_fired(capsys, "slots-rest-after-refusals")
    monkeypatch.setattr(f"{PLANTED}.slot_counts.RESTS_S", 0.0)
    assert await crowd(subject) == {200: 2, 503: 4}


async def fail_once(subject: Server) -> None:
    async with client(subject) as connected:
        assert statuses(await at_once(connected, [extract("POISON")])) == {500: 1}


async def leave(subject: Server) -> None:
    """Ask, and close the connection before the answer."""
    body, leaves_s = b'{"text": "mail a@b.com"}', time.monotonic() + 0.05
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, object]:
        if not messages:
            if (stays_s := leaves_s - time.monotonic()) > 0:
                await asyncio.sleep(stays_s)
            return {"type": "http.disconnect"}
        return messages.pop()

    async def send(message: dict[str, object]) -> None:
        """Nobody is there to read it."""

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/pii/extract",
        "raw_path": b"/pii/extract",
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
    }
    await subject.app(scope, receive, send)


async def test_a_healthy_server_gets_its_slots_back() -> None:
    subject = server(**TWO, **FAILS)
    for _ in range(3):
        await fail_once(subject)
        await leave(subject)
    assert await crowd(subject) == {200: 2, 503: 4}


@pytest.mark.parametrize(
    ("name", "ends", "lost"), [("slot-lost-on-error", fail_once, 1), ("slot-lost-with-its-caller", leave, 1)]
)
async def test_a_slot_that_is_lost(name, ends, lost, capsys: pytest.CaptureFixture[str]) -> None:
    subject = armed(name, **TWO, **FAILS)
    await ends(subject)
    assert await crowd(subject) == {200: 2 - lost, 503: 4 + lost}
    assert_fired(capsys, name)
    await ends(subject)
    assert await crowd(subject) == {503: 6}


async def test_healthy_slots_that_come_back_late(capsys: pytest.CaptureFixture[str]) -> None:
    subject = armed("slot-given-back-late", kind="odd", **TWO)
    assert await crowd(subject) == {200: 2, 503: 4}
    await asyncio.sleep(0.5)
    assert await crowd(subject) == {200: 2, 503: 4}
    assert_fired(capsys, "slot-given-back-late")


async def test_healthy_work_for_a_caller_who_has_left(capsys: pytest.CaptureFixture[str]) -> None:
    subject = armed("works-on-for-nobody", kind="odd", **TWO)
    await leave(subject)
    assert fired_in(capsys.readouterr().out, "works-on-for-nobody")
    assert await crowd(subject) == {200: 2, 503: 4}
