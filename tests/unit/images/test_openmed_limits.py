"""What one process lets in, and what it says to the rest."""

import asyncio

import pytest
from openmed_reference import at_once, client, extract, metric, server, serving, statuses
from openmed_service.errors import ApiError
from openmed_service.throttle import ConcurrencyGate, RateLimit, throttle_key


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def admitted(limit: RateLimit, attempts: int, key: str = "global") -> int:
    count = 0
    for _ in range(attempts):
        try:
            limit.take(key)
        except ApiError:
            continue
        count += 1
    return count


def test_a_bucket_holds_its_burst_and_refills_at_its_rate() -> None:
    clock = Clock()
    limit = RateLimit(5, 5, "global", clock)
    assert admitted(limit, 20) == 5
    total = 0
    for _ in range(400):  # 20 rps for 20 s
        clock.now_s += 0.05
        total += admitted(limit, 1)
    assert total == 100


def test_a_refusal_costs_no_token_and_says_when_to_come_back() -> None:
    clock = Clock()
    limit = RateLimit(0.5, 1, "global", clock)
    limit.take("global")
    for _ in range(10):
        with pytest.raises(ApiError) as refused:
            limit.take("global")
    assert refused.value.headers == {"Retry-After": "2"}
    clock.now_s = 2.0
    assert admitted(limit, 5) == 1


def test_forgetting_idle_keys_gives_nobody_a_second_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openmed_service.throttle.MAX_KEYS", 2)
    limit = RateLimit(1, 5, "peer", Clock())
    assert admitted(limit, 9, "a") == 5
    for other in "bcd":
        admitted(limit, 1, other)
    assert admitted(limit, 9, "a") == 0


@pytest.mark.parametrize(
    ("kind", "forwarded", "key"),
    [
        ("global", "1.1.1.1", "global"),
        ("peer", "1.1.1.1", "9.9.9.9"),
        ("x-forwarded-for", "1.1.1.1, 2.2.2.2", "1.1.1.1"),
        ("x-forwarded-for", "", "9.9.9.9"),
    ],
)
def test_what_a_request_counts_against(kind: str, forwarded: str, key: str) -> None:
    assert throttle_key(kind, {"x-forwarded-for": forwarded}, "9.9.9.9") == key


async def test_the_rate_is_limited_before_the_model() -> None:
    async with serving(RATE_LIMIT_RPS="0.01", RATE_LIMIT_BURST="5") as connected:
        answers = await at_once(connected, [extract() for _ in range(20)])
        assert await metric(connected, "openmed_service_model_runs_total") == 5
    assert statuses(answers) == {200: 5, 429: 15}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["error"]["details"]["key"] == "global"


async def test_two_forwarded_addresses_have_a_burst_each() -> None:
    async with serving(RATE_LIMIT_RPS="0.01", RATE_LIMIT_BURST="2", THROTTLE_KEY="xff") as connected:
        for address in ("1.1.1.1", "2.2.2.2"):
            connected.headers["X-Forwarded-For"] = address
            assert statuses(await at_once(connected, [extract() for _ in range(4)])) == {200: 2, 429: 2}


@pytest.mark.parametrize(("wait_s", "good"), [("0", 2), ("0.02", 2), ("0.25", 4)])
async def test_as_many_at_once_as_there_are_slots(wait_s: str, good: int) -> None:
    """Runs of 0.2 s: a wait of 0.25 s sees each of the two slots free once more."""
    limits = {"RATE_LIMIT_MAX_CONCURRENCY": "2", "CONCURRENCY_WAIT_SECONDS": wait_s, "OPENMED_TEST_RUN_SECONDS": "0.2"}
    async with serving(**limits) as connected:
        await connected.get("/livez")
        answers = await at_once(connected, [extract(f"text {index}") for index in range(10)])
        again = await at_once(connected, [extract() for _ in range(2)])
    assert statuses(answers) == {200: good, 503: 10 - good}
    assert statuses(again) == {200: 2}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.json()["error"]["code"] == "service_busy"
    assert "retry-after" not in refused.headers


async def test_a_refusal_for_want_of_a_slot_gives_its_token_back() -> None:
    limits = {"RATE_LIMIT_MAX_CONCURRENCY": "1", "CONCURRENCY_WAIT_SECONDS": "0", "OPENMED_TEST_RUN_SECONDS": "0.1"}
    async with serving(RATE_LIMIT_RPS="0.001", RATE_LIMIT_BURST="3", **limits) as connected:
        assert statuses(await at_once(connected, [extract() for _ in range(3)])) == {200: 1, 503: 2}
        assert statuses(await at_once(connected, [extract()])) == {200: 1}


async def test_a_waiting_caller_that_goes_away_leaves_no_hole() -> None:
    gate = ConcurrencyGate(1, 10, "global")
    await gate.acquire("k")
    waiting = asyncio.create_task(gate.acquire("k"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    gate.release("k")
    await gate.acquire("k")
    assert gate.slots["k"].taken == 1


async def test_a_slot_handed_to_a_caller_that_just_left_is_free_again() -> None:
    gate = ConcurrencyGate(1, 10, "global")
    await gate.acquire("k")
    waiting = asyncio.create_task(gate.acquire("k"))
    await asyncio.sleep(0)
    gate.release("k")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await gate.acquire("k")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/metrics", "/models/loaded"])
async def test_other_paths_are_never_limited(path: str) -> None:
    limits = {"RATE_LIMIT_RPS": "0.01", "RATE_LIMIT_BURST": "1", "RATE_LIMIT_MAX_CONCURRENCY": "1"}
    subject = server(**limits)
    await subject.service.preload()
    async with client(subject) as connected:
        assert statuses(await at_once(connected, [extract()])) == {200: 1}
        answers = await asyncio.gather(*(connected.get(path) for _ in range(50)))
        assert statuses(list(answers)) == {200: 50}
        assert statuses(await at_once(connected, [extract()])) == {429: 1}
