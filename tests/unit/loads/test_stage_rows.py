"""A load that is gone over in pieces says what all of its rows in memory say, to the last digit."""

import dataclasses
import tracemalloc
from operator import attrgetter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.ledger import COLUMNS, FLOATS, RIGHT, TEXT, UNJUDGED, WRONG, joined, ledger
from seatrial.loads import inference_metrics as im
from seatrial.loads import merge as merging
from seatrial.loads import stage_rows as rows_of
from seatrial.loads.answers import judged
from seatrial.loads.gaps import gap_test
from seatrial.loads.good import failure, good
from seatrial.loads.inference_summary import QUANTILES as OF_TOKENS
from seatrial.loads.merge import merge
from seatrial.loads.scenario import Scenario
from seatrial.loads.schedule import arrivals_kept, due, windows
from seatrial.loads.summary import QUANTILES, summarise
from seatrial.observation import GeneratorHealth
from seatrial.stats.observed import observed
from seatrial.traffic.fleet import apart
from seatrial.traffic.ledger_writer import write
from tests.helpers.ledgers import chunks, load_rows, whole_of

NAN = float("nan")
START_S = 2.0
SCENARIO = Scenario.model_validate(
    {
        "apiVersion": "seatrial/v1",
        "question": "?",
        "loadtest": "x",
        "warmup": {"rate_rps": 5, "duration_s": 2},
        "stages": [{"name": "a", "rate_rps": 30, "duration_s": 20}, {"name": "b", "rate_rps": 50, "duration_s": 10}],
        "slos": {
            "error_ratio": 0.2,
            "latency_s": {"p50": 0.1, "p99": 1.0},
            "ttft_s": {"p90": 0.05},
            "tpot_s": {"p90": 0.2},
            "longest_gap_s": {"p90": 0.1},
            "normalised_s": {"p90": 0.2},
            "goodput": {"deadline_s": 0.5, "ttft_s": 0.1, "at_least_ratio": 0.5},
        },
    }
)


def made(seed=1):
    """The rows of such a load in the order of their ends: streams, answers without tokens, failures of every kind."""
    draw, rows, event_s = np.random.default_rng(seed), [], []
    named = [(window.name, at_s) for window in windows(SCENARIO, START_S) for at_s in due(window).tolist()]
    took_s = draw.lognormal(-2.5, 1.0, len(named))
    for place in np.argsort([at_s + took_s[place] for place, (_, at_s) in enumerate(named)]).tolist():
        (load, at_s), kind = named[place], int(draw.integers(20))
        arrivals_s = np.sort(at_s + took_s[place] * draw.random(draw.integers(1, 9))) if kind < 12 else np.empty(0)
        rows.append(
            {
                "load": load,
                "case": f"case {kind % 3}",
                "pod": "p",
                "scheduled_s": at_s,
                "sent_s": at_s + 1e-4,
                "connected_s": NAN if kind == 19 else at_s + 2e-4,
                "first_byte_s": NAN if kind > 17 else at_s + 3e-4,
                "ended_s": at_s + took_s[place],
                "closed_s": at_s + took_s[place] * 1.5,
                "connection": place % 7,
                "status": 503 if kind == 16 else 0 if kind > 17 else 200,
                "error": "reset" if kind > 17 else "",
                "correct": WRONG if kind > 15 else UNJUDGED if kind == 0 else RIGHT,
                "problem": f"reason {int(draw.integers(14))}" if kind == 17 else "",
                "input_tokens": 30 if kind < 14 else -1,
                "output_tokens": len(arrivals_s) if kind < 12 else -1,
                "first_event": len(event_s),
                "events": len(arrivals_s),
                "counted": int(kind == 1),
            }
        )
        event_s += arrivals_s.tolist()
    return dataclasses.replace(ledger(rows), event_s=np.array(event_s))


def split(whole, at):
    """Two ledgers of a load, as two generators leave them."""
    first = np.arange(len(whole)) % 5 < at
    return [whole.select(first), whole.select(~first)]


@pytest.fixture(params=[3, 200, 1 << 16])
def in_pieces(request, monkeypatch):
    """The rows of ledgers, so many at a time."""
    monkeypatch.setattr(rows_of, "_ROWS_AT_ONCE", request.param)
    return lambda *ledgers: load_rows(*ledgers, at_once=min(request.param, 4096))


def test_columns_are_those_of_the_whole_ledger_in_the_order_of_the_schedule(in_pieces):
    ledgers = split(made(), 2)
    rows, whole = in_pieces(*ledgers), joined(ledgers)
    assert len(rows) == len(whole)
    for load in ("warm-up", "a", "b", "none"):
        found, expected = rows.of(load), whole.of(load)
        assert len(found) == len(expected)
        for name in ("scheduled_s", "sent_s", "ended_s", "closed_s", "first_byte_s"):
            assert np.array_equal(found.values(attrgetter(name)), getattr(expected, name), equal_nan=True), name
        assert np.array_equal(found.mask(good), good(expected))
        assert found.count(good) == good(expected).sum()
        by_end = found.in_order_of(lambda piece: piece.ended_s)
        assert np.array_equal(by_end.values(lambda piece: piece.ended_s), np.sort(expected.ended_s))


def test_every_figure_is_that_of_the_whole_ledger(in_pieces):
    ledgers = split(made(), 3)
    rows, whole = in_pieces(*ledgers), joined(ledgers)
    kept = arrivals_kept(SCENARIO, rows, START_S)
    health = GeneratorHealth(len(whole), len(whole), 1e-4, 1e-3, 1e-3, 1e-5)
    report = summarise(SCENARIO, rows, health, stopped=False, arrivals=kept)
    assert not report.invalid
    for stage, window in zip(report.stages, [*windows(SCENARIO, START_S)][1:], strict=True):
        its = whole.of(stage.name)
        right = good(its)
        assert (stage.scheduled, stage.good) == (len(its), right.sum())
        assert stage.unjudged == (right & (its.correct == UNJUDGED)).sum()
        assert stage.latency_s == observed(its.latency_s[right], QUANTILES)
        assert stage.service_time_s == observed((its.ended_s - its.sent_s)[right], QUANTILES)
        assert sum(stage.errors.values()) == (~right).sum()
        slowly = [failure(row) for row in its.select(~right)]
        assert {kind: slowly.count(kind) for kind in stage.errors if "for other reasons" not in kind} == {
            kind: count for kind, count in stage.errors.items() if "for other reasons" not in kind
        }
        assert kept[stage.name].gaps == gap_test(its.sent_s, its.sent_s - its.scheduled_s, window.intensity, 1.0)
        of_tokens(stage, im.generations(its, right), right)


def of_tokens(stage, generations, right):
    """The figures of a stage's tokens are those of all its requests at once."""
    for name in ("ttft_s", "ttft_per_input_token_s", "longest_gap_s", "tpot_s", "normalised_s", "tokens_per_s"):
        values = getattr(im, name)(generations)[right]
        values = values[~np.isnan(values)]
        found = getattr(stage.inference, name)
        assert (found.n, found.quantiles) == (len(values), observed(values, OF_TOKENS)), name
    gaps = im.itl_s(generations, right)
    assert (stage.inference.itl_s.n, stage.inference.itl_s.quantiles) == (len(gaps), observed(gaps, OF_TOKENS, None))
    tokens = generations.output_tokens[right]
    assert np.array_equal(stage.inference.output_tokens_per_s, tokens.sum() / stage.duration_s, equal_nan=True)
    assert stage.inference.counted == (right & generations.counted).sum()


def test_the_size_of_the_pieces_changes_no_answer(in_pieces, monkeypatch):
    pieces = in_pieces(*split(made(), 3))
    slos = SCENARIO.objectives(SCENARIO.stages[0])
    answers = judged("a", slos, pieces.of("a"))
    monkeypatch.undo()
    assert answers == judged("a", slos, load_rows(joined(split(made(), 3))).of("a"))
    assert len(answers) == 8


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.integers(0, 9)), max_size=9), max_size=3),
    st.integers(1, 4),
)
def test_rows_that_are_due_at_once_keep_the_order_of_their_ends(given_, at_once):
    ledgers = [
        ledger({"load": load, "scheduled_s": due_s, "status": status} for load, due_s, status in rows)
        for rows in given_
    ]
    rows, whole = load_rows(*ledgers, at_once=at_once), joined(ledgers)
    for load in "ab":
        statuses = rows.of(load).values(lambda piece: piece.status.astype(float))
        assert statuses.tolist() == whole.of(load).status.tolist()


@pytest.mark.parametrize(("at_once", "a_chunk"), [(3, 1), (50, 7), (1 << 16, 4096)])
def test_workers_ledgers_become_one(tmp_path, monkeypatch, at_once, a_chunk):
    monkeypatch.setattr(merging, "_ROWS_AT_ONCE", at_once)
    monkeypatch.setattr(merging, "_ROWS_A_CHUNK", a_chunk)
    monkeypatch.setattr(rows_of, "_ROWS_AT_ONCE", at_once)
    ledgers, files = split(made(), 2), [(tmp_path / "1",), (tmp_path / "2",)]
    for part, (file,) in zip(ledgers, files, strict=True):
        write(file, chunks(part, 30), len(part))
    merge([(2, files[0]), (0, files[1])], 3, tmp_path / "all")
    expected = joined(
        dataclasses.replace(part, connection=apart(part.connection, place, 3))
        for part, place in zip(ledgers, (2, 0), strict=True)
    )
    found = whole_of([tmp_path / "all"])
    for name in set(COLUMNS) - {"first_event", *TEXT}:
        assert np.array_equal(getattr(found, name), getattr(expected, name), equal_nan=name in FLOATS), name
    assert [found.texts(name) for name in sorted(TEXT)] == [expected.texts(name) for name in sorted(TEXT)]
    events = [[list(one.event_s[row.first_event :][: row.events]) for row in one] for one in (found, expected)]
    assert events[0] == events[1]


def test_nothing_of_workers_that_recorded_nothing_becomes_an_empty_ledger(tmp_path):
    write(tmp_path / "1", iter(()), 0)
    merge([(0, [tmp_path / "1"]), (1, [])], 2, tmp_path / "all")
    assert len(whole_of([tmp_path / "all"])) == 0


def test_a_report_holds_a_few_values_of_each_row_and_not_the_rows(tmp_path):
    """A row is 156 bytes in its file. Memory that grows with the rows is what counts, so two sizes are compared."""

    def most_bytes(count):
        at_s = np.arange(count) / 100.0
        one = ledger([{"load": "only", "status": 200, "correct": RIGHT}])
        many = {name: np.repeat(getattr(one, name), count) for name in COLUMNS}
        whole = dataclasses.replace(one, **many | {"scheduled_s": at_s, "sent_s": at_s, "ended_s": at_s + at_s % 0.3})
        write(tmp_path / "l", chunks(whole), count)
        del whole, many
        scenario = Scenario.model_validate(
            {
                "apiVersion": "seatrial/v1",
                "question": "?",
                "loadtest": "x",
                "stages": [{"name": "only", "rate_rps": 100, "duration_s": count / 100}],
                "slos": {"error_ratio": 0.1, "latency_s": {"p50": 1.0}},
            }
        )
        health = GeneratorHealth(count, count, 0.0, 0.0, 0.0, 0.0)
        tracemalloc.start()
        with rows_of.opened([tmp_path / "l"]) as rows:
            summarise(scenario, rows, health, False, arrivals_kept(scenario, rows, 0.0))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    most_bytes(1000)  # what is imported on the way
    few, many = 200_000, 400_000
    found = (most_bytes(many) - most_bytes(few)) / (many - few)
    assert found < 60
