"""The loads of a scenario, and whether a ledger shows them."""

import numpy as np
import pytest

from seatrial.ledger import ledger
from seatrial.loads import schedule
from seatrial.loads.gaps import gap_test
from seatrial.loads.scenario import Scenario
from seatrial.loads.summary import summarise
from seatrial.observation import GeneratorHealth
from seatrial.traffic import arrivals
from seatrial.traffic.plan import ClosedLoop, Exchange, ServiceTarget
from tests.helpers.ledgers import load_rows

TARGET = ServiceTarget("web", "127.0.0.1", 80)
EXCHANGES = [Exchange("short", "POST", "/", body=b"x"), Exchange("long", "POST", "/", body=b"x" * 99)]
TRACE = "timestamp,prompt_tokens\n" + "".join(f"{n / 10},{900 if n % 4 == 0 else 10}\n" for n in range(40))
HEALTHY = GeneratorHealth(1, 1, 0.001, 0.01, 0.01, 0.0001)


def scenario(connection="new", seed=1, **stage):
    return Scenario.model_validate({
        "apiVersion": "seatrial/v1", "question": "?", "loadtest": "x", "seed": seed, "connection": connection,
        "stages": [{"name": "base", "duration_s": 30, **stage}],
    })  # fmt: skip


@pytest.fixture
def trace(tmp_path):
    (tmp_path / "trace.csv").write_text(TRACE)
    return {"file": str(tmp_path / "trace.csv")}


def drawn(given, start_s=0.0):
    (load,) = schedule.schedule(given, TARGET, EXCHANGES, start_s)
    return load


def sent(given, start_s, changed=lambda due_s: due_s, lag_s=0.0005):
    """The ledger of a run in which what was due was changed on its way."""
    due_s = changed(np.array(drawn(given, start_s).arrivals_s))
    rows = [{"load": "base", "scheduled_s": at_s, "sent_s": at_s + lag_s, "ended_s": at_s + 0.1, "status": 200}
            for at_s in due_s.tolist()]  # fmt: skip
    return load_rows(ledger(rows))


LAWS = {
    "poisson": {"rate_rps": 20, "arrivals": "poisson"},
    "constant": {"rate_rps": 20, "arrivals": "constant"},
    "gamma": {"rate_rps": 20, "arrivals": "gamma", "cv": 2.5},
    "ramp": {"ramp": {"from_rps": 5, "to_rps": 35}},
    "constant ramp": {"ramp": {"from_rps": 5, "to_rps": 35}, "arrivals": "constant"},
}


@pytest.mark.parametrize("law", LAWS)
def test_the_law_of_a_stage_decides_its_arrivals(law):
    given = scenario(**LAWS[law])
    due_s = np.array(drawn(given, 100.0).arrivals_s)
    halves = [(due_s < 115).sum(), (due_s >= 115).sum()]
    assert sum(halves) == pytest.approx(600, rel=0.25)
    assert (halves[1] > 1.5 * halves[0]) == ("ramp" in law)


def test_clients_that_wait_are_a_closed_loop():
    load = drawn(scenario(concurrency=7, connection="keep-alive"), 100.0)
    assert isinstance(load, ClosedLoop)
    assert (load.concurrency, load.start_s, load.end_s, load.connection) == (7, 100.0, 130.0, "keep-alive")


def test_a_replay_sends_long_exchanges_for_long_requests(trace):
    load = drawn(scenario(trace={**trace, "speed": 0.5}, duration_s=6), 100.0)
    assert load.arrivals_s == pytest.approx([100 + n / 5 for n in range(30)])
    long = [n for n, pick in enumerate(load.picks) if pick == 1]
    assert {n for n in range(30) if n % 4 == 0} <= set(long)
    assert len(long) == 15  # half of the exchanges are long


def asked(input_size, output_size):
    return Exchange("replayed", "POST", "/", body=b"x" * input_size, expect={"tokens": output_size})


def of_sizes(tmp_path, header, *lines):
    (tmp_path / "sizes.csv").write_text("\n".join([header, *lines]))
    return {"trace": {"file": str(tmp_path / "sizes.csv")}, "duration_s": 3}


def test_a_locust_file_may_make_the_request_of_each_line_from_its_sizes(tmp_path):
    stage = of_sizes(tmp_path, "timestamp,input,prompt_tokens,output_tokens",
                     "0,x,7,3", "1,x,2,9", "1,x,7,3", "2.5,x,7,4", "4,x,8,8")  # fmt: skip
    given = scenario(**stage)
    (load,) = schedule.schedule(given, TARGET, EXCHANGES, 0.0, asked)
    sent = [load.exchanges[pick] for pick in load.picks]
    assert [(len(one.body), one.expect["tokens"]) for one in sent] == [(7, 3), (2, 9), (7, 3), (7, 4)]
    assert len(load.exchanges) == 3  # one for each pair of sizes that is sent


@pytest.mark.parametrize(
    ("stage", "made"),
    [
        (("timestamp,prompt_tokens,output_tokens", "0,7,3", "2,2,9"), True),
        (("timestamp,prompt_tokens", "0,7", "2,2"), False),
        (("timestamp,output_tokens", "0,7", "2,2"), False),
        (("timestamp", "0", "2"), False),
    ],
    ids=["both", "input", "output", "none"],
)
def test_only_a_trace_with_both_sizes_has_requests_made_for_it(tmp_path, stage, made):
    given = scenario(**of_sizes(tmp_path, *stage))
    (load,) = schedule.schedule(given, TARGET, EXCHANGES, 0.0, asked)
    assert ({one.case for one in load.exchanges} == {"replayed"}) == made
    assert made or load.exchanges == tuple(EXCHANGES)


def test_a_stage_without_a_trace_sends_what_the_locust_file_lists():
    (load,) = schedule.schedule(scenario(rate_rps=20), TARGET, EXCHANGES, 0.0, asked)
    assert load.exchanges == tuple(EXCHANGES)


@pytest.mark.parametrize("seed", range(10))
def test_what_is_drawn_is_what_the_test_of_its_gaps_accepts(seed):
    given = scenario(seed=seed, **LAWS["gamma"])
    (window,) = schedule.windows(given, 0.0)
    due_s = schedule.due(window)
    assert gap_test(due_s, np.zeros(len(due_s)), window.intensity, window.cv).accepted


def test_an_odd_draw_is_drawn_anew(monkeypatch):
    odd, really_drawn = arrivals.constant(20, 0.0, 30.0), arrivals.drawn

    def first_odd(intensity, cv, seed, attempt):
        return odd if attempt == 0 else really_drawn(intensity, cv, seed, attempt)

    monkeypatch.setattr(arrivals, "drawn", first_odd)
    due_s = drawn(scenario(seed=1, **LAWS["poisson"])).arrivals_s
    assert due_s.tolist() == really_drawn(arrivals.Intensity.steady(20, 0.0, 30.0), 1.0, seed=1000, attempt=1).tolist()


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_a_schedule_that_begins_later_is_the_same_schedule(law):
    given = scenario(**law)
    there, later = drawn(given), drawn(given, 1234.5)
    assert [due_s + 1234.5 for due_s in there.arrivals_s] == pytest.approx(later.arrivals_s, abs=1e-9)
    assert there.picks.tolist() == later.picks.tolist()


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("start_s", [0.5, 12345.678])
def test_a_run_that_was_sent_as_drawn_keeps_its_law(law, start_s):
    given = scenario(**LAWS[law])
    (kept,) = schedule.arrivals_kept(given, sent(given, start_s), start_s).values()
    assert kept.accepted
    assert (kept.gaps is None) == ("constant" in law)
    assert kept.requests == len(drawn(given).arrivals_s)


def test_a_replay_that_was_sent_as_recorded_keeps_its_law(trace):
    given = scenario(trace=trace, duration_s=4)
    assert schedule.arrivals_kept(given, sent(given, 1.0), 1.0)["base"] == schedule.ArrivalsKept("trace", 40, 0, None)


def test_the_warm_up_is_not_judged():
    given = scenario(**LAWS["poisson"])
    warm = given.model_copy(update={"warmup": given.stages[0]})
    assert list(schedule.arrivals_kept(warm, load_rows(), 0.0)) == ["base"]


def test_waiting_clients_have_no_law():
    assert schedule.arrivals_kept(scenario(concurrency=2), load_rows(), 0.0) == {}


def test_on_one_kept_connection_requests_wait_for_their_turn_and_only_their_places_count():
    given = scenario(connection="keep-alive", **LAWS["poisson"])
    (kept,) = schedule.arrivals_kept(given, sent(given, 1.0), 1.0).values()
    assert (kept.accepted, kept.gaps) == (True, None)


@pytest.mark.parametrize("connection", ["new", "pooled"])
def test_requests_that_never_wait_for_a_connection_are_held_against_their_gaps_too(connection):
    given = scenario(connection=connection, **LAWS["poisson"])
    assert drawn(given).connection == connection
    (kept,) = schedule.arrivals_kept(given, sent(given, 1.0), 1.0).values()
    assert kept.accepted
    assert kept.gaps is not None


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(
    ("change", "misplaced"),
    [
        (lambda due_s: due_s + 0.001, lambda count: f"{count} of {count}"),
        (lambda due_s: due_s[:-1], lambda count: f"1 of {count - 1}"),
        (lambda due_s: np.append(due_s, due_s[-1]), lambda count: f"1 of {count + 1}"),
        (lambda due_s: due_s[:0], lambda count: f"{count} of 0"),
    ],
    ids=["moved", "one lost", "one twice", "nothing sent"],
)
def test_a_run_that_was_sent_otherwise_is_invalid_and_says_why(law, change, misplaced):
    given = scenario(**LAWS[law])
    rows = sent(given, 2.0, change)
    report = summarise(given, rows, HEALTHY, False, schedule.arrivals_kept(given, rows, 2.0))
    said = misplaced(len(drawn(given).arrivals_s))
    assert f"base: {said} requests were not due when the scenario's arrivals" in " ".join(report.invalid)
    assert report.outcome == "invalid"


def test_gaps_that_were_sent_otherwise_than_due_are_told_with_their_figures():
    """Due rightly, sent in pairs, and the lags say nothing of it: half of all gaps are 0."""
    given = scenario(**LAWS["poisson"])
    due_s = np.array(drawn(given, 2.0).arrivals_s)
    pairs_s = np.repeat(due_s[1::2], 2)
    rows = [{"load": "base", "scheduled_s": at_s, "sent_s": at_s, "ended_s": at_s + 0.1, "status": 200}
            for at_s in pairs_s.tolist()]  # fmt: skip
    (window,) = schedule.windows(given, 2.0)
    gaps = gap_test(ledger(rows).sent_s, np.zeros(len(rows)), window.intensity, 1.0)
    (reason,) = schedule.broken({"base": schedule.ArrivalsKept("poisson", len(rows), 0, gaps)})
    assert f"do not follow poisson (Kolmogorov-Smirnov D = {gaps.statistic:.3f} over {len(rows) - 1} gaps" in reason


def test_a_run_that_was_stopped_is_not_told_what_it_did_not_send():
    given = scenario(**LAWS["poisson"])
    rows = sent(given, 2.0, lambda due_s: due_s[:100])
    report = summarise(given, rows, HEALTHY, True, schedule.arrivals_kept(given, rows, 2.0))
    assert not any("not due" in reason for reason in report.invalid)
    assert any("stopped" in reason for reason in report.invalid)


@pytest.mark.parametrize("stage", [{"rate_rps": 5}, {"concurrency": 2}], ids=["open loop", "closed loop"])
def test_the_time_limits_of_a_scenario_are_those_of_its_loads(stage):
    limits = {"timeout_s": 9.0, "connect_timeout_s": 1.0, "first_byte_timeout_s": 2.0}
    load = drawn(scenario(**stage).model_copy(update=limits))
    assert {name: getattr(load, name) for name in limits} == limits
