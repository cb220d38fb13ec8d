"""Defects of readiness, liveness and weights show, and the healthy server does not show them."""

import asyncio

import httpx
import pytest
from openmed_faults import PLANTED, armed, assert_fired
from openmed_reference import DISEASES, EXPRESSIONS, RAMPART, at_once, client, extract, server, statuses
from openmed_service.server import Server

SLOW_START = {"PRELOAD_MODELS": EXPRESSIONS, "OPENMED_TEST_LOAD_SECONDS": "0.2"}


async def answers_before_or_at_readiness(subject: Server) -> set[tuple[int, int]]:
    """(readiness, status or number of entities) seen from the start until 0.2 s after readiness."""
    seen: set[tuple[int, int]] = set()
    async with client(subject) as connected:
        preload = asyncio.create_task(subject.service.preload())
        until = asyncio.get_running_loop().time() + 0.4
        while asyncio.get_running_loop().time() < until:
            ready = (await connected.get("/readyz")).status_code
            if ready == 200:
                answer = await connected.post("/pii/extract", json=extract())
                right = answer.status_code == 200 and len(answer.json()["entities"]) == 1
                seen.add((ready, answer.status_code if answer.status_code != 200 else int(right)))
            await asyncio.sleep(0.01)
        await preload
    return seen


async def test_a_healthy_server_answers_right_from_its_first_readiness() -> None:
    assert await answers_before_or_at_readiness(server(**SLOW_START)) == {(200, 1)}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("ready-on-bind", (200, 500)), ("ready-first-five-503", (200, 503)), ("ready-fallback-empty", (200, 0))],
)
async def test_ready_too_early(name: str, wrong: tuple[int, int], capsys: pytest.CaptureFixture[str]) -> None:
    assert wrong in await answers_before_or_at_readiness(armed(name, **SLOW_START))
    assert_fired(capsys, name)


async def answered_when_loading_again(subject: Server) -> tuple[int, float]:
    """How much is found in a text that is sent once ready, and how long that takes."""
    async with client(subject) as connected:
        await subject.service.preload()
        assert (await connected.get("/readyz")).status_code == 200
        began_s = asyncio.get_running_loop().time()
        answer = await connected.post("/pii/extract", json=extract())
        return len(answer.json()["entities"]), asyncio.get_running_loop().time() - began_s


@pytest.mark.parametrize(
    ("name", "after_s", "found", "least_s"),
    [
        ("ready-loads-again", 0.0, 1, 0.5),
        ("ready-loads-again", 60.0, 1, 0.0),
        ("ready-loads-again-empty", 0.0, 0, 0.0),
        ("ready-loads-again-empty", 60.0, 1, 0.0),
    ],
)
async def test_ready_and_loading_again(
    name: str,
    after_s: float,
    found: int,
    least_s: float,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(f"{PLANTED}.readiness.AGAIN_AFTER_S", after_s)
    seen, took_s = await answered_when_loading_again(armed(name, PRELOAD_MODELS=EXPRESSIONS))
    assert (seen, took_s >= least_s) == (found, True)
    if not after_s:
        assert_fired(capsys, name)


async def test_ready_with_one_of_two_models(capsys: pytest.CaptureFixture[str]) -> None:
    subject = armed("ready-second-model-late", PRELOAD_MODELS=f"{EXPRESSIONS},{DISEASES}")
    async with client(subject) as connected:
        preload = asyncio.create_task(subject.service.preload())
        await asyncio.sleep(0.1)
        assert (await connected.get("/readyz")).status_code == 200
        answers = await at_once(connected, [extract(), extract(model_name=DISEASES)])
        preload.cancel()
    assert [answer.status_code for answer in answers] == [200, 500]
    assert_fired(capsys, "ready-second-model-late")


async def test_ready_by_a_file_from_before_a_restart(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    environment = {"OPENMED_CACHE_DIR": str(tmp_path), **SLOW_START}
    first = await answers_before_or_at_readiness(armed("ready-after-restart-stale", **environment))
    again = await answers_before_or_at_readiness(armed("ready-after-restart-stale", **environment))
    assert first == {(200, 1)}
    assert again == {(200, 1), (200, 500)}
    assert_fired(capsys, "ready-after-restart-stale")


async def readiness(subject: Server) -> tuple[httpx.Response, httpx.Response]:
    """Of a server that is ready: its readiness, and what it says to a path that is not there."""
    await subject.service.preload()
    async with client(subject) as connected:
        return await connected.get("/readyz"), await connected.get("/no/such/path")


async def test_healthy_readiness_is_itself() -> None:
    ready, nowhere = await readiness(server())
    assert (ready.status_code, nowhere.status_code) == (200, 404)


@pytest.mark.parametrize(
    ("name", "status"), [("ready-redirect-login", 302), ("ready-redirect-slash", 301), ("ready-https-redirect", 308)]
)
async def test_readiness_that_redirects(name: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    ready, _ = await readiness(armed(name))
    assert ready.status_code == status
    assert ready.headers["location"]
    assert_fired(capsys, name)


async def test_readiness_that_any_path_has(capsys: pytest.CaptureFixture[str]) -> None:
    ready, nowhere = await readiness(armed("ready-catch-all"))
    assert (ready.status_code, ready.text) == (nowhere.status_code, nowhere.text)
    assert_fired(capsys, "ready-catch-all")


@pytest.mark.parametrize("name", ["ready-204", "ready-large-body"])
async def test_odd_readiness_is_readiness(name: str) -> None:
    ready, nowhere = await readiness(armed(name, kind="odd"))
    assert 200 <= ready.status_code < 300
    assert nowhere.status_code == 404


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("weights-error-swallowed", "missing"),
        ("weights-random-init", "missing"),
        ("weights-truncated-accepted", "truncated"),
    ],
)
async def test_ready_without_whole_weights(name: str, weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    subject = armed(name, PRELOAD_MODELS=RAMPART, OPENMED_TEST_WEIGHTS=weights)
    await subject.service.preload()
    assert subject.service.probes.preloaded
    async with client(subject) as connected:
        answer = await connected.post("/pii/extract", json={"text": "Maria Garcia called"})
    found = [one["text"] for one in answer.json().get("entities", [])]
    assert found != ["Maria", "Garcia"]
    assert_fired(capsys, name)


async def test_ready_after_enough_attempts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(f"{PLANTED}.weights.asyncio.sleep", _no_sleep)
    subject = armed("weights-ready-after-retries", PRELOAD_MODELS="no-such-model")
    await subject.service.preload()
    assert subject.service.probes.preloaded
    assert_fired(capsys, "weights-ready-after-retries")


async def _no_sleep(seconds: float) -> None:
    return None


LIMITS = {"RATE_LIMIT_RPS": "0.01", "RATE_LIMIT_BURST": "1"}


async def probes_while_exhausted(subject: Server) -> dict[int, int]:
    await subject.service.preload()
    async with client(subject) as connected:
        assert 200 in statuses(await at_once(connected, [extract() for _ in range(2)]))
        paths = ["/livez", "/readyz"] * 40
        return statuses([await connected.get(path) for path in paths])


async def test_healthy_probes_pass_all_limits() -> None:
    assert await probes_while_exhausted(server(**LIMITS)) == {200: 80}


@pytest.mark.parametrize("name", ["probe-behind-auth", "probe-counts-token", "probe-ip-limit-60"])
async def test_probes_that_are_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(await probes_while_exhausted(armed(name, **LIMITS))) & {401, 429}
    assert_fired(capsys, name)


async def case_after_a_probe(subject: Server) -> tuple[int, int]:
    """Statuses of a readiness probe and of the case after it, where the bucket holds one token."""
    await subject.service.preload()
    async with client(subject) as connected:
        probe = await connected.get("/readyz")
        return probe.status_code, (await connected.post("/pii/extract", json=extract())).status_code


async def test_a_probe_that_is_answered_and_takes_the_token_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert await case_after_a_probe(server(**LIMITS)) == (200, 200)
    assert await case_after_a_probe(armed("probe-takes-token", **LIMITS)) == (200, 429)
    assert_fired(capsys, "probe-takes-token")
    assert await probes_while_exhausted(armed("probe-takes-token", **LIMITS)) == {200: 80}


async def probe_under_load(subject: Server, path: str = "/livez") -> int | None:
    """Status of a probe while both slots work for 0.5 s and others wait; None when it took longer than 0.2 s."""
    await subject.service.preload()
    async with client(subject) as connected:
        load = asyncio.gather(*(connected.post("/pii/extract", json=extract(f"t{index}")) for index in range(6)))
        await asyncio.sleep(0.08)
        try:
            return (await asyncio.wait_for(connected.get(path), 0.2)).status_code
        except TimeoutError:
            return None
        finally:
            await load


SLOTS = {"RATE_LIMIT_MAX_CONCURRENCY": "2", "CONCURRENCY_WAIT_SECONDS": "0.01", "OPENMED_TEST_RUN_SECONDS": "0.5"}


async def test_healthy_probes_are_answered_under_load() -> None:
    assert await probe_under_load(server(**SLOTS)) == 200


@pytest.mark.parametrize(
    ("name", "seen"),
    [("probe-behind-concurrency-gate", 503), ("probe-shares-workers", None), ("live-takes-engine-lock", None)],
)
async def test_probes_that_wait_with_the_work(
    name: str, seen: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(f"{PLANTED}._hooks.OVERLOAD_AFTER_S", 0.0)
    path = "/readyz" if name == "probe-behind-concurrency-gate" else "/livez"
    assert await probe_under_load(armed(name, **SLOTS), path) == seen
    assert_fired(capsys, name)


async def readiness_through_a_crowd(subject: Server) -> tuple[int, int, int]:
    """Status of readiness before a crowd that is refused in part, right after it, and 0.3 s later."""
    await subject.service.preload()
    async with client(subject) as connected:
        before = (await connected.get("/readyz")).status_code
        assert 503 in statuses(await at_once(connected, [extract() for _ in range(6)]))
        after = (await connected.get("/readyz")).status_code
        await asyncio.sleep(0.3)
        return before, after, (await connected.get("/readyz")).status_code


@pytest.fixture
def short_overload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{PLANTED}._hooks.OVERLOAD_AFTER_S", 0.0)
    monkeypatch.setattr(f"{PLANTED}.saturation.SATURATED_FOR_S", 0.2)


@pytest.mark.usefixtures("short_overload")
async def test_load_is_shed_by_readiness_for_as_long_as_it_is_too_much(capsys: pytest.CaptureFixture[str]) -> None:
    crowded = {**SLOTS, "OPENMED_TEST_RUN_SECONDS": "0.05", "CONCURRENCY_WAIT_SECONDS": "0"}
    assert await readiness_through_a_crowd(server(**crowded)) == (200, 200, 200)
    assert await readiness_through_a_crowd(armed("shed-by-readiness", kind="odd", **crowded)) == (200, 503, 200)
    assert await readiness_through_a_crowd(armed("shed-for-good", **crowded)) == (200, 503, 503)
    assert_fired(capsys, "shed-for-good")


async def test_a_model_on_the_event_loop_stops_everything(capsys: pytest.CaptureFixture[str]) -> None:
    subject = armed("sync-predict-blocks-loop", OPENMED_TEST_RUN_SECONDS="0.1")
    loop = asyncio.get_running_loop()
    async with client(subject) as connected:
        work = asyncio.create_task(connected.post("/pii/extract", json=extract()))
        longest_s, last = 0.0, loop.time()
        while not work.done():
            await asyncio.sleep(0.001)
            longest_s, last = max(longest_s, loop.time() - last), loop.time()
    assert longest_s >= 0.1
    assert_fired(capsys, "sync-predict-blocks-loop")


async def test_every_refusal_leaves_memory_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(f"{PLANTED}._hooks.OVERLOAD_AFTER_S", 0.0)
    monkeypatch.setattr(f"{PLANTED}.saturation.KEPT_PER_REJECT", 1024)
    monkeypatch.setattr(f"{PLANTED}.saturation.MEMORY_LIMIT", 10 * 1024)
    monkeypatch.setattr(f"{PLANTED}.saturation.os._exit", ended.append)
    async with client(armed("queue-grows-to-oom", **LIMITS)) as connected:
        await at_once(connected, [extract() for _ in range(12)])
    assert ended == [137]
    assert_fired(capsys, "queue-grows-to-oom")
