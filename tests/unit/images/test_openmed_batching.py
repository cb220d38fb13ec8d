"""Requests that run together, and requests that share one answer."""

import asyncio

from openmed_reference import at_once, extract, metric, serving

BATCHING = {"BATCHING_ENABLED": "true"}


async def test_off_by_default_every_request_runs_alone() -> None:
    async with serving() as client:
        await at_once(client, [extract(f"text {index}") for index in range(8)])
        assert await metric(client, "openmed_service_model_runs_total") == 8


async def test_a_full_batch_does_not_wait() -> None:
    async with serving(**BATCHING, BATCH_MAX_SIZE="4", BATCH_MAX_WAIT_MS="60000") as client:
        await at_once(client, [extract(f"text {index}") for index in range(8)])
        assert await metric(client, "openmed_service_model_runs_total") == 2
        assert 'batch_size_bucket{le="2.0",route="/pii/extract"} 0.0' in (await client.get("/metrics")).text


async def test_a_lone_request_goes_after_the_wait() -> None:
    async with serving(**BATCHING, BATCH_MAX_WAIT_MS="20") as client:
        answers = await at_once(client, [extract()])
    assert answers[0].status_code == 200


async def test_each_answer_belongs_to_its_own_text() -> None:
    async with serving(**BATCHING, BATCH_MAX_WAIT_MS="20") as client:
        answers = await at_once(client, [extract(f"user{index}@example.com") for index in range(50)])
    assert [answer.json()["text"] for answer in answers] == [f"user{index}@example.com" for index in range(50)]
    assert [answer.json()["entities"][0]["text"] for answer in answers] == [
        f"user{index}@example.com" for index in range(50)
    ]


async def test_other_options_are_another_batch() -> None:
    async with serving(**BATCHING, BATCH_MAX_WAIT_MS="50") as client:
        await at_once(client, [extract(confidence_threshold=threshold) for threshold in (0.1, 0.2, 0.1)])
        assert await metric(client, "openmed_service_model_runs_total") == 2


async def test_deidentification_is_never_batched() -> None:
    async with serving(**BATCHING, BATCH_MAX_WAIT_MS="50") as client:
        await asyncio.gather(*(client.post("/pii/deidentify", json=extract(f"text {index}")) for index in range(3)))
        assert await metric(client, "openmed_service_model_runs_total") == 3


async def test_a_full_queue_refuses_with_a_time_to_come_back() -> None:
    queue = {"BATCH_MAX_QUEUE_SIZE": "2", "BATCH_MAX_WAIT_MS": "200"}
    async with serving(**BATCHING, **queue) as client:
        answers = await at_once(client, [extract(f"text {index}") for index in range(5)])
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(refused) == 3
    assert refused[0].json()["error"]["code"] == "backpressure"
    assert refused[0].json()["error"]["details"]["reason"] == "saturated"
    assert refused[0].headers["retry-after"] == "1"


async def test_identical_requests_share_one_run_and_one_answer() -> None:
    async with serving(COALESCING_ENABLED="true", OPENMED_TEST_RUN_SECONDS="0.1") as client:
        answers = await at_once(client, [extract() for _ in range(20)])
        assert await metric(client, "openmed_service_model_runs_total") == 1
        assert len({answer.json()["timestamp"] for answer in answers}) == 1
        await asyncio.sleep(0.1)
        await at_once(client, [extract()])
        assert await metric(client, "openmed_service_model_runs_total") == 2


async def test_one_other_option_is_another_computation() -> None:
    async with serving(COALESCING_ENABLED="true", OPENMED_TEST_RUN_SECONDS="0.1") as client:
        await at_once(client, [extract(), extract(lang="de"), extract(keep_alive="5m"), extract()])
        assert await metric(client, "openmed_service_model_runs_total") == 3


async def test_off_by_default_identical_requests_run_each() -> None:
    async with serving(OPENMED_TEST_RUN_SECONDS="0.05") as client:
        await at_once(client, [extract() for _ in range(5)])
        assert await metric(client, "openmed_service_model_runs_total") == 5


async def test_one_cancelled_caller_does_not_cancel_the_others() -> None:
    async with serving(COALESCING_ENABLED="true", OPENMED_TEST_RUN_SECONDS="0.2") as client:
        callers = [asyncio.create_task(client.post("/pii/extract", json=extract())) for _ in range(3)]
        await asyncio.sleep(0.05)
        callers[0].cancel()
        answers = await asyncio.gather(*callers[1:])
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_an_error_goes_to_all_who_share_it() -> None:
    async with serving(COALESCING_ENABLED="true", OPENMED_TEST_FAIL_MARKER="POISON") as client:
        answers = await at_once(client, [extract("POISON") for _ in range(5)])
        assert await metric(client, "openmed_service_model_runs_total") == 1
    assert [answer.status_code for answer in answers] == [500] * 5
