"""What arrays of generations say: each metric by hand on one request, and all of them against a slow reading."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import InputError
from seatrial.ledger import RIGHT, WRONG, ledger
from seatrial.loads import inference_metrics as im
from seatrial.loads.inference_metrics import Generations, Slos
from seatrial.loads.inference_summary import Distribution, generates, goodput_rps, summarise
from tests.helpers.ledgers import stage_rows

NAN = math.nan


def one(scheduled=10.0, sent=10.5, events=(11.0, 11.2, 11.6), ended=12.0, given_=4.0, tokens=3.0, good=True):
    """One request: due at 10, first token after 1 s, then gaps of 0.2 and 0.4 s, over after 2 s."""
    return {"scheduled": scheduled, "sent": sent, "events": events, "ended": ended, "given": given_,
            "tokens": tokens, "good": good}  # fmt: skip


def generations(*requests):
    offsets, event_s = im.ragged([np.asarray(request["events"], dtype=float) for request in requests])
    column = lambda name: np.array([request[name] for request in requests], dtype=float)  # noqa: E731
    return Generations(
        scheduled_s=column("scheduled"),
        sent_s=column("sent"),
        first_content_s=np.array([request["events"][0] if request["events"] else NAN for request in requests]),
        ended_s=column("ended"),
        input_tokens=column("given"),
        output_tokens=column("tokens"),
        good=column("good").astype(bool),
        counted=np.zeros(len(requests), dtype=bool),
        closed_s=column("ended"),
        event_offsets=offsets,
        event_s=event_s,
    )


def recorded(requests):
    """The ledger of these requests, as a generator leaves it: events in the order in which requests ended."""
    order = sorted(range(len(requests)), key=lambda number: (np.nan_to_num(requests[number]["ended"]), number))
    firsts = dict(zip(order, np.cumsum([0, *(len(requests[number]["events"]) for number in order)]), strict=False))
    rows = ledger(
        {
            "scheduled_s": request["scheduled"], "sent_s": request["sent"], "ended_s": request["ended"],
            "closed_s": request["ended"], "status": 200, "correct": RIGHT if request["good"] else WRONG,
            "input_tokens": -1 if np.isnan(request["given"]) else request["given"],
            "output_tokens": -1 if np.isnan(request["tokens"]) else request["tokens"],
            "first_event": firsts[number], "events": len(request["events"]),
        }
        for number, request in enumerate(requests)
    )  # fmt: skip
    return dataclasses.replace(rows, event_s=np.array([at for number in order for at in requests[number]["events"]]))


def stage(*requests):
    """The same rows as those of a stage."""
    return stage_rows(recorded(requests))


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (im.e2e_s, 2.0),
        (im.ttft_s, 1.0),
        (im.ttft_from_sent_s, 0.5),
        (im.tpot_s, 0.5),
        (im.normalised_s, 2 / 3),
        (im.ttft_per_input_token_s, 0.25),
        (im.tokens_per_s, 1.5),
        (im.longest_gap_s, 0.4),
    ],
)
def test_each_metric_of_one_request(metric, value):
    assert metric(generations(one())) == pytest.approx([value])


def test_latencies_count_from_when_a_request_was_due():
    late = generations(one(sent=10.9))
    assert (im.ttft_s(late)[0], im.e2e_s(late)[0]) == (1.0, 2.0)


def test_gaps_are_within_requests_only_and_only_of_those_asked_for():
    rows = generations(one(), one(events=(20.0, 20.1)), one(events=()), one(events=(30.0,)), one(events=(5.0, 5.0)))
    assert im.itl_s(rows, np.ones(5, dtype=bool)) == pytest.approx([0.2, 0.4, 0.1, 0.0])
    assert im.itl_s(rows, np.array([False, True, True, True, True])) == pytest.approx([0.1, 0.0])
    assert im.longest_gap_s(rows) == pytest.approx([0.4, 0.1, NAN, NAN, 0.0], nan_ok=True)


@pytest.mark.parametrize(
    ("request_", "missing"),
    [
        (one(tokens=1, events=(11.0,)), {"tpot_s", "longest_gap_s"}),
        (one(tokens=0, events=()), {"tpot_s", "longest_gap_s", "normalised_s", "ttft_s", "ttft_per_input_token_s"}),
        (one(tokens=NAN, given_=NAN), {"tpot_s", "normalised_s", "ttft_per_input_token_s", "tokens_per_s"}),
        (one(ended=NAN), {"tpot_s", "normalised_s", "e2e_s", "tokens_per_s"}),
        (one(given_=0), {"ttft_per_input_token_s"}),
        (one(tokens=5, events=(11.0,)), {"longest_gap_s"}),
    ],
    ids=["one token", "no token", "no counts", "never ended", "an empty prompt", "all tokens in one event"],
)
def test_a_metric_that_a_request_does_not_have_is_nan(request_, missing):
    metrics = ("e2e_s", "ttft_s", "tpot_s", "normalised_s", "ttft_per_input_token_s", "tokens_per_s", "longest_gap_s")
    rows = generations(request_)
    with np.errstate(all="raise"):
        assert {name for name in metrics if np.isnan(getattr(im, name)(rows)[0])} == missing


@pytest.mark.parametrize(
    ("slos", "kept"),
    [
        (Slos(), True),
        (Slos(ttft_s=1.0, tpot_s=0.5, longest_gap_s=0.41, e2e_s=2.0, normalised_s=0.67), True),
        (Slos(ttft_s=0.99, tpot_s=0.5, longest_gap_s=0.41, e2e_s=2.0, normalised_s=0.67), False),
        (Slos(ttft_s=1.0, tpot_s=0.49, longest_gap_s=0.41, e2e_s=2.0, normalised_s=0.67), False),
        (Slos(ttft_s=1.0, tpot_s=0.5, longest_gap_s=0.39, e2e_s=2.0, normalised_s=0.67), False),
        (Slos(ttft_s=1.0, tpot_s=0.5, longest_gap_s=0.41, e2e_s=1.99, normalised_s=0.67), False),
        (Slos(ttft_s=1.0, tpot_s=0.5, longest_gap_s=0.41, e2e_s=2.0, normalised_s=0.66), False),
    ],
)
def test_a_request_counts_only_if_it_keeps_every_limit(slos, kept):
    assert im.meets(generations(one()), slos).tolist() == [kept]


@pytest.mark.parametrize(
    ("request_", "slos", "kept"),
    [
        (one(good=False), Slos(), False),
        (one(tokens=1, events=(11.0,)), Slos(tpot_s=0.001, longest_gap_s=0.001), True),
        (one(tokens=0, events=()), Slos(tpot_s=0.001, longest_gap_s=0.001, e2e_s=2.0), True),
        (one(tokens=0, events=()), Slos(ttft_s=9.0), False),
        (one(tokens=0, events=()), Slos(normalised_s=9.0), False),
        (one(tokens=5, events=(11.0,)), Slos(longest_gap_s=0.001), True),
        (one(tokens=5, events=(11.0,)), Slos(tpot_s=0.001), False),
        (one(tokens=5, events=()), Slos(longest_gap_s=9.0), False),
        (one(tokens=NAN), Slos(tpot_s=9.0), False),
        (one(ended=NAN), Slos(e2e_s=9.0), False),
    ],
    ids=["a failed one", "one token: nothing between", "no token: nothing between", "no token: no first one",
         "no token: nothing to divide by", "one event has no gap", "but its tokens took their time",
         "tokens that nobody saw come", "unknown count", "never ended"],
)  # fmt: skip
def test_what_is_not_known_keeps_no_limit_and_what_is_not_there_breaks_none(request_, slos, kept):
    assert im.meets(generations(request_), slos).tolist() == [kept]


def test_goodput_and_token_rates_are_per_second_of_the_stage_and_of_good_requests():
    rows = stage(one(), one(ended=13.0), one(good=False))
    assert goodput_rps(rows, Slos(e2e_s=2.0), duration_s=4.0) == 0.25
    summary = summarise(rows, duration_s=4.0)
    assert (summary.input_tokens_per_s, summary.output_tokens_per_s) == (2.0, 1.5)


def test_a_rate_of_tokens_that_were_not_all_counted_is_not_known():
    summary = summarise(stage(one(), one(tokens=NAN)), duration_s=1.0)
    assert np.isnan(summary.output_tokens_per_s)
    assert summary.input_tokens_per_s == 8.0


def test_quantiles_are_observed_values_of_good_requests_with_intervals_where_there_are_enough():
    rows = stage(*(one(events=(10.0 + n * 37 % 101 + 1,)) for n in range(1, 101)), one(events=(5000.0,), good=False))
    ttft = summarise(rows, duration_s=1.0).ttft_s
    assert ttft.n == 100
    by_percentile = {quantile.percentile: quantile for quantile in ttft.quantiles}
    p50, p99 = by_percentile[50], by_percentile[99]
    assert (p50.value, p99.value) == (51.0, 100.0)
    assert p50.low < p50.value < p50.high
    assert (p99.low, p99.high) == (None, None)


def test_the_longest_gap_is_one_value_a_request():
    rows = stage(one(), one(events=(11.0, 11.7, 11.8)), one(events=(11.0,)), one(good=False))
    longest = summarise(rows, duration_s=1.0).longest_gap_s
    assert longest.n == 2
    assert [quantile.value for quantile in longest.quantiles] == pytest.approx([0.4, 0.7, 0.7, 0.7])


def test_gaps_of_one_stream_are_not_independent_and_get_no_interval():
    rows = stage(one(events=tuple(np.arange(11.0, 12.0, 0.001))))
    itl = summarise(rows, duration_s=1.0).itl_s
    assert (itl.n, itl.independent) == (999, False)
    assert {(quantile.low, quantile.high) for quantile in itl.quantiles} == {(None, None)}


def test_nothing_sent_has_no_quantiles_and_no_rates():
    summary = summarise(stage(), duration_s=1.0)
    assert (summary.ttft_s, summary.itl_s) == (Distribution(0, True, ()), Distribution(0, False, ()))
    assert summary.output_tokens_per_s == goodput_rps(stage(), Slos(ttft_s=1.0), duration_s=1.0) == 0.0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ended_s": np.zeros(2)}, "ended_s: expected one value for each of 1 requests"),
        ({"event_offsets": np.array([0])}, "event_offsets: expected 2 offsets"),
        ({"event_offsets": np.array([0, 2])}, "rise from 0 to 3"),
        ({"event_offsets": np.array([3, 3])}, "rise from 0 to 3"),
    ],
)
def test_columns_that_do_not_fit_are_bad_input(change, told):
    rows = generations(one())
    columns = {name: getattr(rows, name) for name in Generations.__dataclass_fields__}
    with pytest.raises(InputError, match=told):
        Generations(**{**columns, **change})


@pytest.mark.parametrize("duration_s", [0.0, -1.0, NAN])
def test_a_stage_has_a_duration(duration_s):
    with pytest.raises(InputError, match="duration_s"):
        goodput_rps(stage(one()), Slos(), duration_s)


def same(one, other):
    return all(
        np.array_equal(
            getattr(one, name), getattr(other, name), equal_nan=name not in ("good", "counted", "event_offsets")
        )
        for name in Generations.__dataclass_fields__
    )


SECONDS = st.integers(0, 50).map(lambda tenths: tenths / 8)  # exact in binary, so that limits can be met exactly
REQUESTS = st.lists(
    st.builds(
        lambda due, wait, gaps, rest, given_, tokens, good: one(
            scheduled=due,
            sent=due,
            events=tuple(np.cumsum([due + wait, *gaps])) if gaps is not None else (),
            ended=due + wait + sum(gaps or ()) + rest,
            given_=given_,
            tokens=tokens,
            good=good,
        ),
        SECONDS, SECONDS, st.none() | st.lists(SECONDS, max_size=4), SECONDS | st.just(NAN),
        st.integers(0, 4) | st.just(NAN), st.integers(0, 5) | st.just(NAN), st.booleans(),
    ),
    max_size=6,
)  # fmt: skip
LIMIT = st.none() | SECONDS


@given(REQUESTS, st.builds(Slos, ttft_s=LIMIT, tpot_s=LIMIT, longest_gap_s=LIMIT, e2e_s=LIMIT, normalised_s=LIMIT))
def test_the_columns_and_a_slow_reading_of_each_request_agree(requests, slos):
    rows, staged = generations(*requests), stage(*requests)
    with np.errstate(all="raise"):
        summary = summarise(staged, duration_s=8.0)
        assert goodput_rps(staged, slos, 8.0) * 8 == sum(slowly(request, slos) for request in requests)
    gaps = [gap for request in requests if request["good"] for gap in np.diff(request["events"])]
    assert summary.itl_s.n == len(gaps)
    assert sorted(im.itl_s(rows, rows.good)) == pytest.approx(sorted(gaps))


@given(REQUESTS, st.data())
def test_a_ledger_tells_the_same_whatever_the_order_in_which_its_requests_ended(requests, data):
    good = np.array([request["good"] for request in requests], dtype=bool)
    rows = recorded(requests)
    assert same(im.generations(rows, good), generations(*requests))
    picked = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))), dtype=bool)
    kept = [request for request, is_picked in zip(requests, picked, strict=True) if is_picked]
    assert same(im.generations(rows.select(picked), good[picked]), generations(*kept))


@pytest.mark.parametrize(
    ("changed", "generating"),
    [
        ({}, False),
        ({"input_tokens": 0}, True),
        ({"output_tokens": 0}, True),
        ({"events": 1}, True),
    ],
)
def test_a_row_tells_of_generation_when_it_has_tokens_or_events(changed, generating):
    rows = dataclasses.replace(ledger([{"status": 200}, {"status": 200, **changed}]), event_s=np.array([1.0]))
    assert generates(stage_rows(rows)) == generating


def slowly(request, slos):
    """Whether one request is good and keeps every limit."""
    events, tokens = request["events"], request["tokens"]
    e2e = request["ended"] - request["scheduled"]
    ttft = events[0] - request["scheduled"] if events else NAN
    tpot = 0.0 if tokens < 2 else (e2e - ttft) / (tokens - 1)
    gap = 0.0 if tokens < 2 or len(events) == 1 else max(np.diff(events), default=NAN)
    normalised = e2e / tokens if tokens > 0 else NAN
    pairs = [(slos.ttft_s, ttft), (slos.tpot_s, tpot), (slos.longest_gap_s, gap), (slos.e2e_s, e2e),
             (slos.normalised_s, normalised)]  # fmt: skip
    return request["good"] and all(limit is None or value <= limit for limit, value in pairs)
