"""Defects that show in long texts, or in the shortest, and not in usual ones."""

import pytest
from openmed_faults import armed, assert_fired
from openmed_reference import at_once, client, extract, server
from openmed_service.server import Server

BATCHING = {"BATCHING_ENABLED": "true", "BATCH_MAX_SIZE": "2", "BATCH_MAX_WAIT_MS": "40"}
USUAL, WORD, LONG = "Please write to a@b.com", "a@b.com", "The wound is dry. " * 100 + "a@b.com"


MANY = {**BATCHING, "BATCH_MAX_SIZE": "8"}  # of which seven have less than 12,000 characters


async def found(subject: Server, *texts: str) -> list[int]:
    """How much is found in each of these texts, sent at once."""
    async with client(subject) as connected:
        answers = await at_once(connected, [extract(text) for text in texts])
    return [len(answer.json()["entities"]) for answer in answers]


async def test_healthy_answers_do_not_depend_on_length_or_company() -> None:
    for texts in [(USUAL, WORD), (LONG, USUAL), (LONG,), (WORD,)]:
        assert await found(server(**BATCHING), *texts) == [1] * len(texts)


@pytest.mark.parametrize(
    ("name", "texts", "seen"),
    [
        ("long-text-truncated", (LONG,), [0]),
        ("long-text-truncated-in-batch", (LONG, USUAL), [0, 1]),
        ("one-word-not-read", (WORD,), [0]),
    ],
)
async def test_what_is_lost(
    name: str, texts: tuple[str, ...], seen: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await found(armed(name, **BATCHING), *texts) == seen
    assert_fired(capsys, name)


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("long-text-truncated", (USUAL, WORD)),
        ("long-text-truncated-in-batch", (LONG,)),
        ("one-word-not-read", (LONG, USUAL)),
    ],
)
async def test_what_is_not(name: str, texts: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert await found(armed(name, **BATCHING), *texts) == [1] * len(texts)
    assert "fault_fired" not in capsys.readouterr().out


async def test_a_run_that_reads_so_much_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    name = "batch-read-to-a-limit"
    assert await found(armed(name, **MANY), *[LONG] * 6) == [1] * 6
    assert "fault_fired" not in capsys.readouterr().out
    assert await found(armed(name, **MANY), *[LONG] * 8) == [1] * 6 + [0] * 2
    assert_fired(capsys, name)
    assert await found(server(**MANY), *[LONG] * 8) == [1] * 8
