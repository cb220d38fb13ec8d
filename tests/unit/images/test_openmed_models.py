"""Which models are in memory, and where their files come from."""

import asyncio
from pathlib import Path

import pytest
from openmed_reference import DISEASES, EXPRESSIONS, RAMPART, client, extract, metric, server, serving
from openmed_service.catalogue import UnknownModel
from openmed_service.weights import WeightsError


async def loaded(connected: object) -> list[str]:
    return list((await connected.get("/models/loaded")).json()["models"])  # type: ignore[attr-defined]


async def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    async with serving() as connected:
        assert await loaded(connected) == []
        await connected.post("/pii/extract", json=extract())
        assert await loaded(connected) == [EXPRESSIONS]


async def test_ready_only_once_every_model_is_loaded() -> None:
    subject = server(PRELOAD_MODELS=f"{EXPRESSIONS},{DISEASES},,{EXPRESSIONS}", OPENMED_TEST_LOAD_SECONDS="0.1")
    async with client(subject) as connected:
        preload = asyncio.create_task(subject.service.preload())
        while (await connected.get("/readyz")).status_code == 503:
            assert (await connected.get("/livez")).status_code == 200
            await asyncio.sleep(0.01)
        snapshot = (await connected.get("/models/loaded")).json()
        await preload
    assert list(snapshot["models"]) == [EXPRESSIONS, DISEASES]
    assert snapshot["warm_models"] == [EXPRESSIONS, DISEASES]


async def test_an_unknown_model_ends_the_preload() -> None:
    subject = server(PRELOAD_MODELS="no-such-model")
    with pytest.raises(UnknownModel, match="no-such-model"):
        await subject.service.preload()
    assert not subject.service.probes.preloaded


async def test_many_first_requests_load_a_model_once() -> None:
    async with serving(OPENMED_TEST_LOAD_SECONDS="0.1") as connected:
        await asyncio.gather(*(connected.post("/pii/extract", json=extract()) for _ in range(10)))
        assert await metric(connected, "openmed_service_model_load_total") == 1


@pytest.mark.timeout(20)
async def test_a_request_in_the_very_turn_in_which_a_load_ends_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """It once looked for the model, and for the load that had ended, again and again, while nothing else could run."""
    models, late = server().service.models, []

    async def used() -> str:
        async with models.use(EXPRESSIONS):
            return "used"

    monkeypatch.setattr(models.metrics.model_loads, "inc", lambda: late.append(asyncio.create_task(used())))
    assert [await used(), await late[0]] == ["used", "used"]


@pytest.mark.parametrize(("keep_alive", "after_s"), [(0, 0.0), ("100ms", 0.2)])
async def test_an_idle_model_is_unloaded_after_its_time(keep_alive: object, after_s: float) -> None:
    async with serving() as connected:
        await connected.post("/pii/extract", json=extract(keep_alive=keep_alive))
        await asyncio.sleep(after_s + 0.02)
        assert await loaded(connected) == []


async def test_use_starts_the_time_again() -> None:
    async with serving(KEEP_ALIVE="200ms") as connected:
        for _ in range(4):
            await connected.post("/pii/extract", json=extract())
            await asyncio.sleep(0.1)
        assert await metric(connected, "openmed_service_model_load_total") == 1


async def test_the_least_recently_used_model_makes_room() -> None:
    async with serving(MAX_RESIDENT_MODELS="2") as connected:
        for name in (EXPRESSIONS, DISEASES, EXPRESSIONS, RAMPART):
            assert (await connected.post("/pii/extract", json=extract(model_name=name))).status_code == 200
        assert await loaded(connected) == [EXPRESSIONS, RAMPART]
        assert await metric(connected, "openmed_service_model_eviction_total") == 1


async def test_a_busy_model_is_neither_evicted_nor_unloaded() -> None:
    async with serving(MAX_RESIDENT_MODELS="1", OPENMED_TEST_SLOW_MARKER="slow") as connected:
        busy = asyncio.create_task(connected.post("/pii/extract", json=extract("[[slow 0.3]]")))
        await asyncio.sleep(0.1)
        unloaded = (await connected.post("/models/unload", json={"model_name": EXPRESSIONS})).json()
        await connected.post("/analyze", json={"text": "asthma"})
        assert EXPRESSIONS in await loaded(connected)
        assert (await busy).status_code == 200
        assert len(await loaded(connected)) == 1
    assert unloaded == {
        "unloaded": False,
        "model_name": EXPRESSIONS,
        "active_requests": 1,
        "released": {"models": 0, "tokenizers": 0, "pipelines": 0},
    }


async def test_unload_all() -> None:
    async with serving() as connected:
        await connected.post("/pii/extract", json=extract())
        await connected.post("/analyze", json={"text": "asthma"})
        answer = (await connected.post("/models/unload", json={"all": True})).json()
        assert await loaded(connected) == []
    assert answer == {
        "unloaded": True,
        "released": {"models": 2, "tokenizers": 2, "pipelines": 2},
        "active_models": {},
    }


async def test_the_cache_outlives_the_process(tmp_path: Path) -> None:
    for result in ("miss", "hit"):
        subject = server(OPENMED_CACHE_DIR=str(tmp_path), PRELOAD_MODELS=RAMPART)
        await subject.service.preload()
        counted = {one: subject.service.metrics.model_cache.labels(one)._value.get() for one in ("hit", "miss")}
        assert counted == {"hit": 0, "miss": 0} | {result: 1}


@pytest.mark.parametrize("weights", ["missing", "truncated"])
async def test_what_did_not_come_whole_is_not_kept(weights: str, tmp_path: Path) -> None:
    broken = server(OPENMED_CACHE_DIR=str(tmp_path), PRELOAD_MODELS=RAMPART, OPENMED_TEST_WEIGHTS=weights)
    with pytest.raises(WeightsError, match=r"model_q4\.onnx"):
        await broken.service.preload()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    repaired = server(OPENMED_CACHE_DIR=str(tmp_path), PRELOAD_MODELS=RAMPART)
    await repaired.service.preload()
    assert repaired.service.probes.preloaded


async def test_a_damaged_file_in_the_cache_is_refused_by_name(tmp_path: Path) -> None:
    await server(OPENMED_CACHE_DIR=str(tmp_path), PRELOAD_MODELS=RAMPART).service.preload()
    (file,) = tmp_path.rglob("model_q4.onnx")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"model_q4\.onnx: does not match"):
        await server(OPENMED_CACHE_DIR=str(tmp_path), PRELOAD_MODELS=RAMPART).service.preload()


async def test_work_beyond_the_profile_s_time_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("openmed_service.settings").settings.TIMEOUT_S, "test", 0.1)
    async with serving(OPENMED_PROFILE="test", OPENMED_TEST_RUN_SECONDS="5") as connected:
        answer = await connected.post("/pii/extract", json=extract())
    assert answer.status_code == 504
    assert answer.json()["error"]["details"] == {"timeout_seconds": 0.1}
