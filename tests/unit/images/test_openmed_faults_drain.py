"""Defects of the drain show in a deletion under load, and the healthy server does not show them.

All deletions run beside each other, once; each test looks at its own.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from openmed_reference import EXPRESSIONS, Process, Raw, extract, process

STAYED = None  # still there after all else was over: it would have been killed at the end of its grace period
FAULTS = (
    "drain-drop-last-100ms",
    "drain-drops-queued",
    "drain-drops-half-sent",
    "drain-drops-large-bodies",
    "drain-drops-assembling-batch",
    "drain-cap-1s",
    "drain-budget-halved",
    "close-listener-on-sigterm",
    "close-listener-1s-after-sigterm",
    "rst-on-accept-draining",
    "sigterm-ignored",
    "drain-waits-for-idle-keepalive",
    "exit-joins-background-60s",
    "exit-code-1-on-drain",
    "entrypoint-traps-term",
    "parent-only-signal",
    "sigterm-only-pid1-of-workers",
    "sigterm-after-first-request",
)
ODD = ("http10-close", "accepts-5s-after-sigterm", "exit-143", "init-as-pid1")


async def _until_old(count: int) -> None:
    """For the defect that looks at how young a request is: the sixth is not waited for."""
    if count == 5:
        await asyncio.sleep(0.5)


async def _a_second(count: int) -> None:
    """For the defect of two processes, of which each counts only what it has."""
    await asyncio.sleep(1.0)


PAUSES: dict[str | None, Callable[[int], Awaitable[None]]] = {
    "drain-drop-last-100ms": _until_old,
    "sigterm-only-pid1-of-workers": _a_second,
}


@dataclass
class Deletion:
    """What callers saw of a server that got SIGTERM at 0 s; statuses are None where a connection just ended."""

    code: int | None
    old: list[int | None] = field(
        default_factory=list
    )  # in work at SIGTERM, and for some 5 s more; the first has a large body
    recent: int | None = None  # the last before SIGTERM
    half_sent: int | None = None  # its body was
    old_done_at_s: float = 0.0
    not_let_in_at_s: float | None = None  # the first new connection that was refused or reset
    fired: bool = False
    signed: bool = False  # the log says that a drain has started


async def deletion(name: str | None, kind: str, limit: asyncio.Semaphore) -> Deletion:
    environment = {"PRELOAD_MODELS": EXPRESSIONS, "OPENMED_TEST_SLOW_MARKER": "slow", "SHUTDOWN_DRAIN_SECONDS": "7"}
    if name == "drain-drops-assembling-batch":
        environment["BATCH_MAX_WAIT_MS"] = "3000"
    armed = {f"SEATRIAL_{kind.upper()}": name} if name else {}
    async with limit, process(**environment, **armed) as subject:
        await subject.said("ready")
        if name == "sigterm-after-first-request":
            seen = await _deleted_idle(subject)
        else:
            seen = await _deleted_under_load(subject, PAUSES.get(name, subject.has_in_flight))
        seen.signed = any(line["event"] == "drain_started" for line in subject.events)
        seen.fired = any(line["event"] == "fault_fired" for line in subject.events)
        return seen


async def _deleted_idle(subject: Process) -> Deletion:
    subject.terminate()
    await asyncio.sleep(0.5)
    return Deletion(await _exit_code(subject, 2.5))


async def _deleted_under_load(subject: Process, arrived: Callable[[int], Awaitable[None]]) -> Deletion:
    idle = await subject.open_post(extract())
    await idle.status()
    texts = ["word " * 400 + "[[slow 5]]", *(f"{index} [[slow 5]]" for index in range(3))]
    old = [await subject.open_post(extract(text)) for text in texts]
    half_sent = await subject.open_post(extract(), send_share=0.5)
    await arrived(5)
    recent = await subject.open_post(extract("[[slow 1]]"))
    await arrived(6)
    began = time.monotonic()
    subject.terminate()
    connecting = asyncio.create_task(_first_not_let_in(subject, began))
    await asyncio.sleep(0.5)
    with contextlib.suppress(ConnectionError):
        await half_sent.send_rest()
    old_statuses = await asyncio.gather(*(_status(one) for one in old))
    old_done_at_s = time.monotonic() - began
    seen = Deletion(
        code=await _exit_code(subject, 3.5),
        old=old_statuses,
        recent=await _status(recent),
        half_sent=await _status(half_sent),
        old_done_at_s=old_done_at_s,
        not_let_in_at_s=await connecting,
    )
    idle.close()
    return seen


async def _status(request: Raw) -> int | None:
    try:
        return await asyncio.wait_for(request.status(), 10)
    except TimeoutError:
        return None


async def _first_not_let_in(subject: Process, began: float) -> float | None:
    """None when that did not happen within 10 s."""
    while time.monotonic() - began < 10:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", subject.port)
            writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            let_in = bool(await reader.readline())
            writer.close()
        except OSError:
            let_in = False
        if not let_in:
            return time.monotonic() - began
        await asyncio.sleep(0.05)
    return None


async def _exit_code(subject: Process, within_s: float) -> int | None:
    try:
        return await asyncio.wait_for(subject.process.wait(), within_s)
    except TimeoutError:
        subject.process.kill()
        return STAYED


@pytest.fixture(scope="module")
def deletions() -> dict[str | None, Deletion]:
    async def all_of_them() -> dict[str | None, Deletion]:
        names: list[tuple[str | None, str]] = [(None, "fault")]
        names += [(name, "fault") for name in FAULTS] + [(name, "odd") for name in ODD]
        limit = asyncio.Semaphore(16)
        seen = await asyncio.gather(*(deletion(name, kind, limit) for name, kind in names))
        return {name: one for (name, _), one in zip(names, seen, strict=True)}

    return asyncio.run(all_of_them())


def finished_all(seen: Deletion) -> bool:
    return [*seen.old, seen.recent, seen.half_sent] == [200] * 6


def let_in_to_the_end(seen: Deletion) -> bool:
    """Nobody was turned away while old requests were in work."""
    return seen.not_let_in_at_s is None or seen.not_let_in_at_s > seen.old_done_at_s - 0.3


def test_a_healthy_server_loses_nothing_and_leaves(deletions: dict[str | None, Deletion]) -> None:
    seen = deletions[None]
    assert finished_all(seen)
    assert let_in_to_the_end(seen)
    assert seen.signed
    assert seen.code == 0


@pytest.mark.parametrize("name", ODD)
def test_an_odd_server_loses_nothing_and_leaves(name: str, deletions: dict[str | None, Deletion]) -> None:
    seen = deletions[name]
    assert finished_all(seen)
    assert let_in_to_the_end(seen)
    assert seen.signed
    assert seen.code in (0, 143)
    assert seen.fired


@pytest.mark.parametrize("name", ["drain-cap-1s", "drain-budget-halved"])
def test_a_drain_that_ends_early_cuts_what_takes_longer(name: str, deletions: dict[str | None, Deletion]) -> None:
    assert deletions[name].old == [503] * 4
    assert deletions[name].fired


def test_a_drain_that_drops_the_latest(deletions: dict[str | None, Deletion]) -> None:
    seen = deletions["drain-drop-last-100ms"]
    assert seen.old == [200] * 4
    assert seen.recent != 200
    assert seen.fired


def test_a_drain_that_drops_what_is_queued(deletions: dict[str | None, Deletion]) -> None:
    seen = deletions["drain-drops-queued"]
    assert None in seen.old
    assert 200 in seen.old
    assert seen.fired


def test_a_drain_that_drops_half_sent_bodies(deletions: dict[str | None, Deletion]) -> None:
    seen = deletions["drain-drops-half-sent"]
    assert (seen.old, seen.recent, seen.half_sent) == ([200] * 4, 200, None)
    assert seen.fired


def test_a_drain_that_drops_large_bodies(deletions: dict[str | None, Deletion]) -> None:
    seen = deletions["drain-drops-large-bodies"]
    assert (seen.old, seen.recent, seen.half_sent) == ([None, 200, 200, 200], 200, 200)
    assert seen.fired


def test_a_drain_that_drops_batches_being_assembled(deletions: dict[str | None, Deletion]) -> None:
    seen = deletions["drain-drops-assembling-batch"]
    assert [*seen.old, seen.recent] == [503] * 5
    assert seen.fired


@pytest.mark.parametrize(
    "name", ["close-listener-on-sigterm", "close-listener-1s-after-sigterm", "rst-on-accept-draining"]
)
def test_a_listener_that_goes_before_the_work(name: str, deletions: dict[str | None, Deletion]) -> None:
    assert not let_in_to_the_end(deletions[name])
    assert deletions[name].fired


@pytest.mark.parametrize(
    "name",
    [
        "sigterm-ignored",
        "drain-waits-for-idle-keepalive",
        "exit-joins-background-60s",
        "entrypoint-traps-term",
        "parent-only-signal",
        "sigterm-only-pid1-of-workers",
        "sigterm-after-first-request",
    ],
)
def test_a_process_that_stays(name: str, deletions: dict[str | None, Deletion]) -> None:
    assert deletions[name].code is STAYED
    assert deletions[name].fired


@pytest.mark.parametrize("name", ["sigterm-ignored", "entrypoint-traps-term", "sigterm-after-first-request"])
def test_a_signal_that_leaves_no_sign(name: str, deletions: dict[str | None, Deletion]) -> None:
    assert not deletions[name].signed


def test_a_drained_process_that_says_error(deletions: dict[str | None, Deletion]) -> None:
    assert finished_all(deletions["exit-code-1-on-drain"])
    assert deletions["exit-code-1-on-drain"].code == 1
    assert deletions["exit-code-1-on-drain"].fired


@pytest.mark.parametrize(
    ("name", "status"), [(None, 503), ("drain-budget-value-ignored", 200), ("drain-without-a-budget", 200)]
)
async def test_a_budget_that_is_not_the_one_configured(name: str | None, status: int) -> None:
    """The request takes 4 s, and the budget that is configured is 2.5 s."""
    environment = {"PRELOAD_MODELS": EXPRESSIONS, "OPENMED_TEST_SLOW_MARKER": "slow", "SHUTDOWN_DRAIN_SECONDS": "2.5"}
    async with process(**environment, **({"SEATRIAL_FAULT": name} if name else {})) as subject:
        await subject.said("ready")
        beyond = await subject.open_post(extract("[[slow 4]]"))
        await subject.has_in_flight(1)
        subject.terminate()
        assert await _status(beyond) == status
        await subject.exit_code()
        assert any(line["event"] == "fault_fired" for line in subject.events) == bool(name)
