"""Answers and refusals of the reference service, as its clients see them."""

import re

import pytest
from openmed_reference import DISEASES, EXPRESSIONS, RAMPART, at_once, extract, metric, serving, statuses

TEXT = "Patient: Maria Garcia, phone 415-555-0100, SSN 219-09-9999"


async def test_the_real_model_finds_names_and_expressions_find_what_has_a_form() -> None:
    async with serving() as client:
        entities = (await client.post("/pii/extract", json={"text": TEXT})).json()["entities"]
    assert [(one["label"], one["text"]) for one in entities] == [
        ("GIVEN_NAME", "Maria"),
        ("SURNAME", "Garcia"),
        ("PHONE_NUMBER", "415-555-0100"),
        ("SSN", "219-09-9999"),
    ]
    assert all(TEXT[one["start"] : one["end"]] == one["text"] for one in entities)


async def test_offsets_of_a_long_text_count_from_its_beginning() -> None:
    """A text longer than the model's window is read in overlapping windows."""
    text = "The visit went well. " * 60 + TEXT + " and rested." * 60
    async with serving() as client:
        entities = (await client.post("/pii/extract", json={"text": text})).json()["entities"]
    found = {one["text"] for one in entities}
    assert {"Maria", "Garcia", "415-555-0100"} <= found
    assert all(text[one["start"] : one["end"]] == one["text"] for one in entities)
    ends = [0, *(one["end"] for one in entities)]
    assert all(one["start"] >= end for one, end in zip(entities, ends, strict=False))


async def test_the_same_request_gives_the_same_entities_alone_and_in_company() -> None:
    bodies: list[dict[str, object]] = [{"text": f"{name} Miller called"} for name in ("Anna", "Peter", "Maximilian")]
    async with serving(BATCHING_ENABLED="true", BATCH_MAX_WAIT_MS="50") as client:
        alone = [(await client.post("/pii/extract", json=body)).json()["entities"] for body in bodies]
        together = [answer.json()["entities"] for answer in await at_once(client, bodies)]
        assert await metric(client, "openmed_service_model_runs_total") == 4
    assert [[one["text"] for one in entities] for entities in together] == [
        [one["text"] for one in entities] for entities in alone
    ]


@pytest.mark.parametrize(
    ("method", "pattern"),
    [
        ("mask", r"mail \[EMAIL\] on \[DATE\]"),
        ("remove", r"mail  on "),
        ("hash", r"mail EMAIL_[0-9a-f]{8} on DATE_[0-9a-f]{8}"),
        ("replace", r"mail \S+@example\.\w+ on \d{4}-\d{2}-\d{2}"),
    ],
)
async def test_each_method_replaces_in_its_own_way(method: str, pattern: str) -> None:
    async with serving() as client:
        body = extract("mail a@b.com on 2024-02-03", method=method)
        answer = (await client.post("/pii/deidentify", json=body)).json()
    assert re.fullmatch(pattern, answer["deidentified_text"].ljust(len("mail  on ")))
    assert answer["num_entities_redacted"] == 2
    assert "mapping" not in answer


async def test_dates_are_shifted_by_the_same_number_of_days() -> None:
    async with serving() as client:
        body = extract("2024-02-27, then 03/01/2024, by a@b.com", method="shift_dates", date_shift_days=3)
        answer = (await client.post("/pii/deidentify", json=body)).json()
    assert answer["deidentified_text"] == "2024-03-01, then 03/04/2024, by [EMAIL]"


async def test_a_mapping_can_be_undone() -> None:
    """Two originals never share a replacement."""
    async with serving() as client:
        body = extract("a@b.com, c@d.com, a@b.com", keep_mapping=True)
        answer = (await client.post("/pii/deidentify", json=body)).json()
    restored = answer["deidentified_text"]
    for replacement, original in answer["mapping"].items():
        restored = restored.replace(replacement, original)
    assert restored == "a@b.com, c@d.com, a@b.com"


async def test_analysis_finds_diseases() -> None:
    async with serving() as client:
        answer = (await client.post("/analyze", json={"text": "Has asthma and Type 2 Diabetes."})).json()
    assert [one["text"] for one in answer["entities"]] == ["asthma", "Type 2 Diabetes"]
    assert answer["model_name"] == DISEASES


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/pii/extract", extract("  "), "body.text"),
        ("/pii/extract", {}, "body.text"),
        ("/pii/extract", extract(unknown=1), "body.unknown"),
        ("/pii/extract", extract(lang="xx"), "body.lang"),
        ("/pii/extract", extract(confidence_threshold=1.1), "body.confidence_threshold"),
        ("/pii/extract", extract(model_name="a/b/c"), "body.model_name"),
        ("/pii/extract", extract(keep_alive="soon"), "body.keep_alive"),
        ("/pii/deidentify", extract(policy="mine"), "body.policy"),
        ("/pii/deidentify", extract(date_shift_days=3), "body"),
        ("/pii/deidentify", extract(method="shift_dates", shift_dates=False), "body"),
        ("/models/unload", {}, "body"),
    ],
)
async def test_a_refusal_names_the_field(path: str, body: dict[str, object], field: str) -> None:
    async with serving() as client:
        answer = await client.post(path, json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "validation_error"
    assert [one["field"] for one in answer.json()["error"]["details"]] == [field]


async def test_the_longest_text_is_counted_in_characters_after_stripping() -> None:
    async with serving(MAX_TEXT_LENGTH="100") as client:
        longest = await client.post("/pii/extract", json=extract("  " + "é" * 100 + "\n"))
        longer = await client.post("/pii/extract", json=extract("é" * 101))
        assert await metric(client, "openmed_service_model_runs_total") == 1
    assert (longest.status_code, longer.status_code) == (200, 422)


async def test_every_refusal_wears_the_envelope_and_quotes_no_request() -> None:
    secret = "Winterbottom"
    async with serving(OPENMED_TEST_FAIL_MARKER="POISON") as client:
        refused = [
            await client.get("/nowhere"),
            await client.get("/pii/extract"),
            await client.get("/livez", headers={"Host": "10.1.2.3:8080"}),
            await client.post("/pii/extract", content=b'{"text": "' + secret.encode()),
            await client.post("/pii/extract", json=extract(secret, lang=secret)),
            await client.post("/pii/extract", json=extract(secret, model_name="no-such-model")),
            await client.post("/pii/extract", json=extract("POISON " + secret)),
            await client.options(
                "/pii/extract", headers={"Origin": "http://x.y", "Access-Control-Request-Method": "POST"}
            ),
        ]
    assert [answer.status_code for answer in refused] == [404, 405, 400, 422, 422, 400, 500, 400]
    for answer in refused:
        assert set(answer.json()["error"]) == {"code", "message", "details"}
        assert secret not in answer.text
        assert answer.headers["x-request-id"]


async def test_a_request_id_is_echoed() -> None:
    async with serving() as client:
        answer = await client.get("/nowhere", headers={"X-Request-ID": "abc"})
    assert answer.headers["x-request-id"] == "abc"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8080", 200),
        ("[::1]:8080", 200),
        ("a.example.com", 200),
        ("example.com", 400),
        ("badexample.com", 400),
        ("10.0.0.7:8080", 400),
        ("", 400),
    ],
)
async def test_only_trusted_hosts_are_answered(host: str, status: int) -> None:
    async with serving(TRUSTED_HOSTS="localhost,127.0.0.1,[::1],*.example.com") as client:
        assert (await client.get("/livez", headers={"Host": host})).status_code == status


async def test_only_listed_origins_get_a_grant() -> None:
    preflight = {"Access-Control-Request-Method": "POST"}
    async with serving(CORS_ORIGINS="https://app.example.com") as client:
        listed = await client.options("/analyze", headers={"Origin": "https://app.example.com", **preflight})
        other = await client.options("/analyze", headers={"Origin": "https://evil.example.com", **preflight})
        simple = await client.get("/livez", headers={"Origin": "https://app.example.com"})
    assert listed.headers["access-control-allow-origin"] == "https://app.example.com"
    assert listed.headers["access-control-allow-methods"] == "GET, POST"
    assert "access-control-allow-origin" not in other.headers
    assert simple.headers["access-control-allow-origin"] == "https://app.example.com"


async def test_metrics_agree_with_the_traffic_and_are_off_by_default() -> None:
    async with serving(METRICS_ENABLED="false") as client:
        assert (await client.get("/metrics")).status_code == 404
    async with serving() as client:
        await at_once(client, [extract() for _ in range(5)])
        await client.post("/pii/extract", json={})
        await client.get("/nowhere")
        text = (await client.get("/metrics")).text
    assert 'openmed_service_request_total{route="/pii/extract",status_code="200"} 5.0' in text
    assert 'openmed_service_request_total{route="/pii/extract",status_code="422"} 1.0' in text
    assert 'openmed_service_request_total{route="unknown",status_code="404"} 1.0' in text
    assert "openmed_service_inflight_requests 0.0" in text
    assert 'openmed_service_model_runs_total{route="/pii/extract"} 5.0' in text


async def test_the_api_describes_itself() -> None:
    async with serving() as client:
        document = (await client.get("/openapi.json")).json()
    assert {"/analyze", "/pii/extract", "/pii/deidentify", "/livez", "/readyz"} <= set(document["paths"])
    assert RAMPART in str(document["components"]["schemas"]["ExtractRequest"])


async def test_a_failing_text_fails_alone_in_its_batch() -> None:
    bodies = [extract("POISON" if index == 3 else f"user{index}@example.com") for index in range(8)]
    async with serving(BATCHING_ENABLED="true", BATCH_MAX_WAIT_MS="200", OPENMED_TEST_FAIL_MARKER="POISON") as client:
        answers = await at_once(client, bodies)
        assert await metric(client, "openmed_service_model_runs_total") == 1
    assert [answer.status_code for answer in answers] == [200, 200, 200, 500, 200, 200, 200, 200]
    assert answers[4].json()["entities"][0]["text"] == "user4@example.com"
    assert statuses(answers)[500] == 1


async def test_a_model_name_may_leave_out_its_organisation() -> None:
    async with serving() as client:
        answer = await client.post("/pii/extract", json=extract(TEXT, model_name=RAMPART.rpartition("/")[2]))
        loaded = (await client.get("/models/loaded")).json()
    assert answer.status_code == 200
    assert list(loaded["models"]) == [RAMPART]
    assert EXPRESSIONS not in loaded["models"]
