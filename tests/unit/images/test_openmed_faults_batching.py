"""Defects of batching show, and the healthy server does not show them."""

import asyncio
import re
import time

import httpx
import pytest
from openmed_faults import PLANTED, armed, assert_fired
from openmed_reference import at_once, client, extract, metric, server
from openmed_service.server import Server

BATCHING = {
    "BATCHING_ENABLED": "true",
    "BATCH_MAX_SIZE": "4",
    "BATCH_MAX_WAIT_MS": "40",
    "OPENMED_TEST_FAIL_MARKER": "POISON",
}


async def foreign_answers(subject: Server) -> int:
    """Of 12 requests at once, how many got what another one asked for."""
    texts = [f"user{index:02}@example.com" for index in range(12)]
    async with client(subject) as connected:
        answers = await at_once(connected, [extract(text) for text in texts])
    return sum(answer.json()["entities"][0]["text"] != text for answer, text in zip(answers, texts, strict=True))


async def test_healthy_answers_belong_to_their_requests() -> None:
    assert await foreign_answers(server(**BATCHING)) == 0


@pytest.mark.parametrize(
    "name",
    [
        "batch-shift-by-one",
        "batch-swap-equal-length",
        "batch-swap-at-max-size",
        "batch-last-duplicated",
        "response-race-global",
    ],
)
async def test_answers_that_belong_to_others(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await foreign_answers(armed(name, **BATCHING)) > 0
    assert_fired(capsys, name)


@pytest.mark.parametrize("name", [None, "kept-connection-one-behind"])
async def test_answers_on_a_kept_connection(name: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    """This client's requests all come from one address and port, as those of a kept connection do."""
    texts = [f"user{index}@example.com" for index in range(3)]
    async with client(armed(name) if name else server()) as connected:
        answers = [await connected.post("/pii/extract", json=extract(text)) for text in texts]
    found = [answer.json()["entities"][0]["text"] for answer in answers]
    assert found == ([texts[0], *texts[:2]] if name else texts)
    if name:
        assert_fired(capsys, name)


async def test_odd_order_is_no_mixup() -> None:
    assert await foreign_answers(armed("batch-answers-out-of-order", kind="odd", **BATCHING)) == 0


async def runs_and_sizes(subject: Server, rounds: int = 3) -> tuple[int, float, int]:
    """Backend calls, reported mean size and the largest bucket used, of 8 at once, that many times."""
    async with client(subject) as connected:
        for _ in range(rounds):
            await at_once(connected, [extract(f"text {index}") for index in range(8)])
        runs = await metric(connected, "openmed_service_model_runs_total")
        total = await metric(connected, "openmed_service_batch_size_sum")
        count = await metric(connected, "openmed_service_batch_size_count")
        text = (await connected.get("/metrics")).text
    buckets = re.findall(r'batch_size_bucket\{le="(\d+)\.0",route="/pii/extract"\} (\d+)', text)
    largest = min(int(bound) for bound, seen in buckets if int(seen) == max(int(one) for _, one in buckets))
    return int(runs), total / count, largest


async def test_healthy_batches_are_full_and_not_too_full() -> None:
    assert await runs_and_sizes(server(**BATCHING)) == (6, 4.0, 4)


@pytest.mark.parametrize(
    ("name", "runs", "mean"),
    [
        ("batch-size-always-1", 24, 1.0),
        ("batch-metric-faked", 24, 4.0),
        ("batch-per-connection", 24, 1.0),
        ("batch-first-only", 18, 24 / 18),
    ],
)
async def test_batches_that_do_not_happen(
    name: str, runs: int, mean: float, capsys: pytest.CaptureFixture[str]
) -> None:
    seen_runs, seen_mean, _ = await runs_and_sizes(armed(name, **BATCHING))
    assert seen_runs == pytest.approx(runs, abs=1)
    assert seen_mean == pytest.approx(mean, abs=0.1)
    assert_fired(capsys, name)


@pytest.mark.parametrize("name", ["batch-off-by-one", "batch-max-ignored", "batch-timer-merges-pending"])
async def test_batches_that_are_too_large(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, largest = await runs_and_sizes(armed(name, **BATCHING))
    assert largest == 8
    assert_fired(capsys, name)


@pytest.mark.parametrize(("size", "largest"), [(4, 4), (5, 8)])
async def test_an_odd_largest_batch_that_is_made_even(
    size: int, largest: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 8 at once that are 4 and 4, or 6 and 2."""
    subject = armed("batch-size-even", **BATCHING | {"BATCH_MAX_SIZE": str(size)})
    runs, _, seen = await runs_and_sizes(subject)
    assert (runs, seen) == (6, largest)
    if size % 2:
        assert_fired(capsys, "batch-size-even")


async def largest_of_a_race(subject: Server) -> int:
    """The largest batch where three of four come at once, and four more a little later, while they wait."""
    async with client(subject) as connected:
        callers = [asyncio.create_task(connected.post("/pii/extract", json=extract())) for _ in range(3)]
        await asyncio.sleep(0.1)
        callers += [asyncio.create_task(connected.post("/pii/extract", json=extract())) for _ in range(4)]
        await asyncio.gather(*callers)
    return (await runs_and_sizes(subject, 0))[2]


RACED = BATCHING | {"BATCH_MAX_WAIT_MS": "1000"}


async def test_a_healthy_batch_is_closed_by_whoever_fills_it() -> None:
    assert await largest_of_a_race(server(**RACED)) == 4


async def test_a_batch_that_counts_nobody_for_a_part_of_its_wait(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "batch-uncounted-mid-wait"
    monkeypatch.setattr(f"{PLANTED}.batch_shapes.BLIND", (0.02, 0.9))
    assert await largest_of_a_race(armed(name, **RACED)) == 8
    assert_fired(capsys, name)


async def test_an_odd_batcher_takes_what_comes_while_it_works() -> None:
    subject = armed("batch-opportunistic", kind="odd", **BATCHING, OPENMED_TEST_RUN_SECONDS="0.03")
    runs, mean, largest = await runs_and_sizes(subject)
    assert runs <= 0.75 * 24
    assert mean >= 1.5
    assert largest <= 4


async def waits(subject: Server) -> bool:
    """Whether a lone request is still unanswered after five times the batch wait."""
    async with client(subject) as connected:
        lone = asyncio.create_task(connected.post("/pii/extract", json=extract()))
        await asyncio.sleep(0.2)
        lone.cancel()
        return not lone.done() or lone.cancelled()


async def test_a_healthy_lone_request_goes_after_its_wait() -> None:
    assert not await waits(server(**BATCHING))


@pytest.mark.parametrize("name", ["batch-delay-seconds-for-ms", "batch-flush-on-next-only"])
async def test_a_lone_request_that_waits_too_long(name: str) -> None:
    assert await waits(armed(name, **BATCHING))


async def test_a_batch_that_fills_up_while_it_waits_has_waited_too_long(capsys: pytest.CaptureFixture[str]) -> None:
    async with client(armed("batch-delay-seconds-for-ms", **BATCHING | {"BATCH_MAX_SIZE": "2"})) as connected:
        lone = asyncio.create_task(connected.post("/pii/extract", json=extract()))
        await asyncio.sleep(0.1)
        assert (await connected.post("/pii/extract", json=extract())).status_code == 200
        assert (await lone).status_code == 200
    assert_fired(capsys, "batch-delay-seconds-for-ms")


async def due_s(subject: Server, members: int) -> float:
    """When the open batch is to be closed, once it has so many members; on the event loop's clock."""
    while True:
        for batch in subject.service.batcher.open.values():
            if len(batch.members) == members and batch.timer is not None:
                return batch.timer.when()
        await asyncio.sleep(0.001)


def posts(connected: httpx.AsyncClient, *texts: str) -> list[asyncio.Task[httpx.Response]]:
    return [asyncio.create_task(connected.post("/pii/extract", json=extract(text))) for text in texts]


@pytest.mark.parametrize(("name", "times"), [(None, 1), ("batch-waits-twice-after-another", 2)])
async def test_a_batch_right_after_another(name: str | None, times: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Four fill a batch, and the fifth opens the next."""
    settings = BATCHING | {"BATCH_MAX_WAIT_MS": "20000"}
    subject = armed(name, **settings) if name else server(**settings)
    async with client(subject) as connected:
        asked_s = asyncio.get_running_loop().time()
        sent = posts(connected, *(f"user{n}@example.com" for n in range(5)))
        while sum(one.done() for one in sent) < 4:
            await asyncio.sleep(0.001)
        due = await due_s(subject, 1)
        assert 20 * times - 1 < due - asked_s < 20 * times + 15
        for one in sent:
            one.cancel()
    if name:
        assert_fired(capsys, name)


@pytest.mark.parametrize("name", [None, "batch-timer-sleeps"])
async def test_a_batch_after_a_quiet_time(
    name: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first comes when all is asleep, and the fifth, after four that filled a batch, soon after another."""
    for constant, seconds in (("ASLEEP_AFTER_S", 0.0), ("WAKES_IN_S", 20.0)):
        monkeypatch.setattr(f"{PLANTED}.batch_waits.{constant}", seconds)
    settings = BATCHING | {"BATCH_MAX_WAIT_MS": "20000"}
    subject = armed(name, **settings) if name else server(**settings)
    async with client(subject) as connected:
        asked_s = asyncio.get_running_loop().time()
        sent = posts(connected, "a@b.com")
        waits_s = await due_s(subject, 1) - asked_s
        assert (39 if name else 19) < waits_s < (55 if name else 35)
        if name:
            monkeypatch.setattr(f"{PLANTED}.batch_waits.ASLEEP_AFTER_S", 60.0)
            sent += posts(connected, *(f"user{n}@example.com" for n in range(4)))
            while sum(one.done() for one in sent) < 4:
                await asyncio.sleep(0.001)
            assert await due_s(subject, 1) - asyncio.get_running_loop().time() < 21
            assert_fired(capsys, name)
        for one in sent:
            one.cancel()


async def test_a_batch_whose_second_member_starts_its_wait_again(capsys: pytest.CaptureFixture[str]) -> None:
    subject = armed("batch-timer-extended-once", **BATCHING | {"BATCH_MAX_WAIT_MS": "20000"})
    async with client(subject) as connected:
        sent = posts(connected, "a@b.com")
        first = await due_s(subject, 1)
        sent += posts(connected, "c@d.com")
        second = await due_s(subject, 2)
        sent += posts(connected, "e@f.com")
        assert first < second == await due_s(subject, 3)
        for one in sent:
            one.cancel()
    assert_fired(capsys, "batch-timer-extended-once")


async def test_a_lone_request_goes_with_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    async with client(armed("batch-flush-on-next-only", **BATCHING)) as connected:
        lone = asyncio.create_task(connected.post("/pii/extract", json=extract()))
        await asyncio.sleep(0.1)
        following = asyncio.create_task(connected.post("/pii/extract", json=extract()))
        assert (await lone).status_code == 200
        following.cancel()
    assert_fired(capsys, "batch-flush-on-next-only")


async def test_batches_that_wait_for_the_second(capsys: pytest.CaptureFixture[str]) -> None:
    """Of requests a tenth of a second apart, some wait for the clock far longer than for the batch."""
    async with client(armed("batch-tick-1s", **BATCHING | {"BATCH_MAX_SIZE": "100"})) as connected:
        callers = []
        for _ in range(10):
            callers.append(asyncio.create_task(connected.post("/pii/extract", json=extract())))
            await asyncio.sleep(0.1)
        await asyncio.gather(*callers)
        assert await metric(connected, "openmed_service_model_runs_total") <= 3
    assert_fired(capsys, "batch-tick-1s")


async def runs_of_a_trickle(subject: Server) -> float:
    """Backend calls of 15 requests, of which five come in one batch wait."""
    async with client(subject) as connected:
        callers = []
        for _ in range(15):
            callers.append(asyncio.create_task(connected.post("/pii/extract", json=extract())))
            await asyncio.sleep(0.06)
        await asyncio.gather(*callers)
        return await metric(connected, "openmed_service_model_runs_total")


TRICKLE = BATCHING | {"BATCH_MAX_SIZE": "100", "BATCH_MAX_WAIT_MS": "300"}


async def test_a_healthy_trickle_is_served_as_it_comes() -> None:
    assert await runs_of_a_trickle(server(**TRICKLE)) >= 3


async def test_a_trickle_that_restarts_its_timer(capsys: pytest.CaptureFixture[str]) -> None:
    assert await runs_of_a_trickle(armed("batch-timer-restarts", **TRICKLE)) <= 2
    assert_fired(capsys, "batch-timer-restarts")


async def with_poison(subject: Server, place: int) -> list[str]:
    """What four callers of one batch get: their own `right` answer, `wrong`, or the `error`."""
    texts = ["POISON" if index == place else f"user{index}@example.com" for index in range(4)]
    async with client(subject) as connected:
        answers = await at_once(connected, [extract(text) for text in texts])
    return [
        "error"
        if answer.status_code == 500
        else "right"
        if [one["text"] for one in answer.json()["entities"]] == [text]
        else "wrong"
        for answer, text in zip(answers, texts, strict=True)
    ]


@pytest.mark.parametrize("place", [0, 1, 3])
async def test_healthy_poison_fails_alone(place: int) -> None:
    expected = ["error" if index == place else "right" for index in range(4)]
    assert await with_poison(server(**BATCHING), place) == expected
    assert await with_poison(armed("poison-bisect", kind="odd", **BATCHING), place) == expected


@pytest.mark.parametrize(
    ("name", "place", "seen"),
    [
        ("poison-fails-batch", 0, ["error"] * 4),
        ("poison-error-misplaced", 0, ["wrong", "error", "right", "right"]),
        ("poison-neighbour-default", 0, ["error", "wrong", "right", "right"]),
        ("poison-last-position-only", 3, ["error"] * 4),
    ],
)
async def test_poison_that_spreads(name: str, place: int, seen: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert await with_poison(armed(name, **BATCHING), place) == seen
    assert_fired(capsys, name)


async def test_poison_that_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(f"{PLANTED}.batch_mixups.os._exit", ended.append)
    await with_poison(armed("poison-kills-worker", **BATCHING), 1)
    assert ended == [139]
    assert_fired(capsys, "poison-kills-worker")


async def test_poison_whose_neighbours_are_late(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(f"{PLANTED}.poison_delays.PUT_BACK_FOR_S", 0.3)
    subject = armed("poison-neighbours-put-back", **BATCHING)
    await subject.service.preload()
    started_s = time.monotonic()
    assert await with_poison(subject, 1) == ["right", "error", "right", "right"]
    assert time.monotonic() - started_s >= 0.3
    assert_fired(capsys, "poison-neighbours-put-back")
