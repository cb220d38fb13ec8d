"""What a load on a generating service shows: its objectives, its summary, and the lines that a reader gets."""

import dataclasses
import random

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.cli.load import as_document
from seatrial.ledger import RIGHT, WRONG, ledger
from seatrial.loads.answers import judged
from seatrial.loads.locust_run import Recorded
from seatrial.loads.scenario import Scenario
from seatrial.loads.slos import Goodput, Objectives
from seatrial.loads.summary import summarise
from seatrial.observation import GeneratorHealth
from seatrial.reporting.load import lines
from tests.helpers.ledgers import load_rows

HEALTHY = GeneratorHealth(100, 100, 0.001, 0.01, 0.01, 0.0001)
# Of `stream()`: exact in binary, so that a limit can be met exactly.
TTFT, TPOT, LONGEST_GAP, NORMALISED, E2E = 0.5, 0.25, 0.25, 0.3125, 1.25


def stream(events=(0.5, 0.75, 1.0, 1.25), **changed):
    """A good answer that is streamed: 4 tokens, the first after 0.5 s, then one each 0.25 s; due at 1 s."""
    return {
        "load": "base", "scheduled_s": 1.0, "sent_s": 1.0, "ended_s": 2.25, "status": 200, "correct": RIGHT,
        "input_tokens": 8, "output_tokens": 4, "after_s": events,
    } | changed  # fmt: skip


def plain(**changed):
    """A good answer of a service that generates nothing."""
    return stream(**{"events": (), "input_tokens": -1, "output_tokens": -1} | changed)


def failed(**changed):
    return plain(status=503, correct=WRONG, **changed)


def rows(*requests):
    event_s, whole = [], []
    for request in requests:
        after_s = request["after_s"]
        columns = {name: value for name, value in request.items() if name != "after_s"}
        whole.append({**columns, "first_event": len(event_s), "events": len(after_s)})
        event_s += [request["scheduled_s"] + at_s for at_s in after_s]
    return load_rows(dataclasses.replace(ledger(whole), event_s=np.array(event_s)))


def scenario(*names, **slos):
    return Scenario.model_validate({
        "apiVersion": "seatrial/v1", "question": "Does it begin in time?", "loadtest": "x", "slos": slos,
        "stages": [{"name": name, "rate_rps": 10, "duration_s": 10} for name in names or ["base"]],
    })  # fmt: skip


def scattered(*requests):
    """As independent requests come; neighbours that are alike count as fewer."""
    return rows(*random.Random(1).sample(requests, len(requests)))


METRICS = [("ttft_s", "TTFT", TTFT), ("tpot_s", "TPOT", TPOT), ("longest_gap_s", "longest gap", LONGEST_GAP),
           ("normalised_s", "normalised latency", NORMALISED)]  # fmt: skip
SLOW = {
    "ttft_s": stream(events=(0.75, 1.0, 1.25)),
    "tpot_s": stream(ended_s=2.5),
    "longest_gap_s": stream(events=(0.5, 1.0, 1.25)),
    "normalised_s": stream(ended_s=2.5),
}


@pytest.mark.parametrize(("metric", "name", "limit_s"), METRICS)
@pytest.mark.parametrize(
    ("slow", "of", "outcome"),
    [(0, 59, "held"), (0, 58, "undecided"), (1, 93, "held"), (1, 92, "undecided"), (9, 100, "undecided"),
     (10, 100, "missed")],
)  # fmt: skip
def test_a_percentile_of_a_metric_is_decided_as_one_of_the_latency_is(metric, name, limit_s, slow, of, outcome):
    seen = scattered(*[SLOW[metric]] * slow, *[stream()] * (of - slow))
    (answer,) = judged("base", Objectives.model_validate({metric: {"p95": limit_s}}), seen.of("base"))
    assert (answer.outcome, answer.objective) == (outcome, f"{name} p95 <= {limit_s:g} s")
    assert answer.found.startswith(f"{slow} of {of} beyond it")


@pytest.mark.parametrize("metric", [metric for metric, *_ in METRICS])
def test_a_request_that_failed_is_beyond_every_limit(metric):
    (answer,) = judged("base", Objectives.model_validate({metric: {"p50": 1e6}}), rows(*[failed()] * 20).of("base"))
    assert (answer.outcome, answer.found[:20]) == ("missed", "20 of 20 beyond it (")


@pytest.mark.parametrize(
    ("request_", "without"),
    [
        (plain(), {"ttft_s", "tpot_s", "longest_gap_s", "normalised_s"}),
        (plain(output_tokens=4), {"ttft_s", "tpot_s", "longest_gap_s"}),
        (stream(events=(), output_tokens=0), {"ttft_s", "normalised_s"}),
        (stream(events=(0.5,), output_tokens=1), set()),
        (stream(events=(0.5,)), set()),
    ],
    ids=["not generated", "no stream", "no token", "one token", "one event"],
)
def test_a_right_answer_without_the_metric_is_beyond_its_limit_unless_nothing_lies_between(request_, without):
    for metric, *_ in METRICS:
        (answer,) = judged("base", Objectives.model_validate({metric: {"p50": 1e6}}), rows(*[request_] * 20).of("base"))
        assert (answer.outcome == "missed") == (metric in without)
        assert ("20 of them right answers without one" in answer.found) == (metric in without)


def test_a_stall_within_a_stream_is_seen_by_its_longest_gap_and_not_by_its_mean():
    stalled = rows(*[stream(events=(0.125, 1.125, 1.1875, 1.25))] * 60)
    tpot, longest = judged("base", Objectives(tpot_s={"p95": 0.375}, longest_gap_s={"p95": 0.375}), stalled.of("base"))
    assert (tpot.outcome, longest.outcome) == ("held", "missed")


ALL = {"deadline_s": E2E, "ttft_s": TTFT, "tpot_s": TPOT, "longest_gap_s": LONGEST_GAP, "normalised_s": NORMALISED}


@pytest.mark.parametrize("broken", [None, *ALL])
def test_goodput_takes_requests_that_keep_every_limit_at_once(broken):
    limits = {name: limit_s - 0.01 if name == broken else limit_s for name, limit_s in ALL.items()}
    slos = Objectives(goodput=Goodput(**limits, at_least_ratio=0.9))
    (answer,) = judged("base", slos, rows(*[stream()] * 40).of("base"))
    assert answer.outcome == ("missed" if broken else "held")
    assert answer.found.startswith(f"{40 if broken else 0} of 40 not right within all limits")


def test_limits_that_are_kept_by_different_requests_are_not_kept_at_once():
    """Half begin in time and stall, half begin late and flow: neither half is good."""
    seen = scattered(*[stream(events=(0.125, 1.25))] * 50, *[stream(events=(1.0, 1.125, 1.25))] * 50)
    each = Objectives(ttft_s={"p40": 0.5}, longest_gap_s={"p40": 0.5})
    assert {answer.outcome for answer in judged("base", each, seen.of("base"))} == {"held"}
    both = Objectives(goodput=Goodput(ttft_s=0.5, longest_gap_s=0.5, at_least_ratio=0.4))
    assert [answer.outcome for answer in judged("base", both, seen.of("base"))] == ["missed"]


@pytest.mark.parametrize(("bad", "of", "outcome"), [(0, 29, "held"), (0, 28, "undecided"), (9, 40, "missed")])
def test_goodput_is_held_missed_or_undecided(bad, of, outcome):
    slos = Objectives(goodput=Goodput(ttft_s=TTFT, at_least_ratio=0.9))
    (answer,) = judged("base", slos, scattered(*[SLOW["ttft_s"]] * bad, *[stream()] * (of - bad)).of("base"))
    assert (answer.outcome, answer.objective) == (outcome, "right with TTFT <= 0.5 s, share >= 0.9")


def test_a_goodput_of_a_deadline_alone_is_said_as_ever():
    slos = Objectives(goodput=Goodput(deadline_s=E2E, at_least_ratio=0.9))
    (answer,) = judged("base", slos, rows(stream(), plain(), failed()).of("base"))
    assert answer.objective == "right within 1.25 s >= 0.9"
    assert answer.found.startswith("1 of 3 not right in time")


@settings(max_examples=60, derandomize=True)
@given(
    st.lists(st.sampled_from([stream(), plain(), failed(), *SLOW.values()]), min_size=1, max_size=30),
    st.fixed_dictionaries({}, optional={name: st.sampled_from([0.25, 0.5, 1.0, 2.0]) for name in ALL}),
)
def test_more_limits_never_make_more_requests_good(requests, limits):
    def goodput_rps(**given_):
        goodput = {"goodput": {**given_, "at_least_ratio": 0.5}} if given_ else {}
        (stage,) = summarise(scenario(**goodput), rows(*requests), HEALTHY, False).stages
        return stage.goodput_rps

    found = goodput_rps(**limits)
    for name in limits:
        assert found <= goodput_rps(**{other: limit for other, limit in limits.items() if other != name})


def test_only_a_stage_that_tells_of_tokens_has_their_metrics():
    seen = rows(stream(load="chat"), plain(load="plain"), failed(load="plain"))
    chat, other = summarise(scenario("chat", "plain"), seen, HEALTHY, False).stages
    assert chat.inference.ttft_s.quantiles[0].value == TTFT
    assert other.inference is None


def test_a_mixed_stage_has_the_metrics_of_those_that_have_them_and_no_rate_of_what_was_not_counted():
    (stage,) = summarise(scenario(), rows(*[stream()] * 3, plain(), failed()), HEALTHY, False).stages
    assert (stage.scheduled, stage.good, stage.inference.ttft_s.n, stage.inference.itl_s.n) == (5, 4, 3, 9)
    assert np.isnan([stage.inference.input_tokens_per_s, stage.inference.output_tokens_per_s]).all()


def test_tokens_of_a_stage_are_those_of_good_requests():
    (stage,) = summarise(scenario(), rows(*[stream()] * 5, stream(correct=WRONG)), HEALTHY, False).stages
    assert (stage.inference.input_tokens_per_s, stage.inference.output_tokens_per_s) == (4.0, 2.0)


def said(given_, seen):
    return "\n".join(lines(given_, summarise(given_, seen, HEALTHY, stopped=False)))


def test_a_reader_gets_a_line_for_each_metric_that_there_is():
    text = said(scenario(goodput={**ALL, "at_least_ratio": 0.5}), rows(*[stream()] * 80))
    assert "right within 1.25 s with TTFT <= 0.5 s, TPOT <= 0.25 s, longest gap <= 0.25 s and normalised" in text
    assert "\n  TTFT ms              p50 500.0 [500.0, 500.0]  p90 500.0 [500.0, 500.0]" in text
    assert "\n  TTFT ms/input token  p50 62.500" in text
    assert "\n  ITL ms               p50 250.0  p90 250.0  p95 250.0  p99 250.0  (240 gaps, not independent" in text
    assert "\n  longest gap ms       p50 250.0" in text
    assert "\n  TPOT ms              p50 250.0" in text
    assert "\n  normalised ms/token  p50 312.5" in text
    assert "\n  tokens/s a request   p50 3.2" in text
    assert "\n  tokens/s in all      in 64.0, out 32.0" in text
    assert "\n  latency ms           p50 1250.0" in text


def test_what_no_request_has_is_no_line_and_what_some_lack_says_how_many_have_it():
    text = said(scenario(), rows(*[plain(output_tokens=4)] * 2, plain()))
    assert "TTFT" not in text
    assert "ITL" not in text
    assert "(2 of 3 have it)" in text
    assert "tokens/s in all      in not known, out not known" in text


def test_rates_of_tokens_that_were_counted_from_events_are_marked():
    given_, reported, counted = scenario(), said(scenario(), rows(*[stream()] * 9)), stream(counted=1)
    text = said(given_, rows(*[stream()] * 6, *[counted] * 3))
    assert "\n  TPOT ms *              p50 250.0" in text
    assert "\n  normalised ms/token *  p50 312.5" in text
    assert "\n  tokens/s a request *   p50 3.2" in text
    assert "in 7.2, out 3.6, 3 of 9 without usage: their output tokens (*) are events that were counted" in text
    assert "*" not in reported
    assert "counted" not in reported


def test_how_long_connections_stay_open_after_the_end_is_told_apart():
    """It is in no latency; a moment of it is not worth a line."""
    open_s, closed = said(scenario(), rows(*[stream(closed_s=5.25)] * 9)), said(scenario(), rows(stream(closed_s=2.26)))
    assert "\n  open after the end ms  p50 3000.0" in open_s
    assert "\n  latency ms             p50 1250.0" in open_s
    assert "\n  TPOT ms                p50 250.0" in open_s
    assert "open after" not in closed


def test_a_stage_without_tokens_reads_as_ever():
    text = said(scenario(), rows(plain(ended_s=1.5)))
    assert "base: 1 requests in 10 s, 1 good\n  offered 0.10/s, answered 0.10/s, right 0.10/s\n" in text
    assert "\n  latency ms  p50 500.0 (interval needs n = 6)" in text
    assert "token" not in text
    assert "\n  errors      none\n" in text


def test_the_document_has_what_is_not_known_as_null():
    given_ = scenario("chat", "plain")
    report = summarise(given_, rows(stream(load="chat", input_tokens=-1), plain(load="plain")), HEALTHY, False)
    document = orjson.loads(as_document(given_, report, Recorded((), HEALTHY, False, 0.0)))
    chat, other = (stage["inference"] for stage in document["stages"])
    assert chat["ttft_s"]["quantiles"][0] == {
        "percentile": 50.0, "value": TTFT, "low": None, "high": None, "needed": 6, "effective_n": None,
    }  # fmt: skip
    assert (chat["input_tokens_per_s"], chat["output_tokens_per_s"]) == (None, 0.4)
    assert other is None
