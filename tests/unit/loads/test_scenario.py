"""A scenario is read once; what is wrong in it is named by file, key and what was expected."""

import math
import re
from pathlib import Path

import pytest
import yaml

from seatrial.content import content
from seatrial.errors import InputError
from seatrial.loads.scenario import Ramp, Replay, Scenario, Stage, read_scenario, service
from seatrial.loads.schedule import schedule
from seatrial.loads.slos import Goodput, Objectives
from seatrial.traffic.plan import Exchange, OpenLoop, ServiceTarget

GOOD = {
    "apiVersion": "seatrial/v1",
    "question": "Does it keep up?",
    "loadtest": "ask",
    "seed": 3,
    "warmup": {"rate_rps": 5, "duration_s": 2},
    "stages": [
        {"name": "base", "rate_rps": 10, "duration_s": 4.5},
        {"name": "peak", "rate_rps": 40, "duration_s": 2, "slos": {"error_ratio": 0.1}},
    ],
    "slos": {"latency_s": {"p99": 0.5}, "error_ratio": 0},
}
TARGET = ServiceTarget("web", "127.0.0.1", 80)
EXCHANGES = [Exchange("a", "GET", "/a"), Exchange("b", "GET", "/b")]


@pytest.fixture
def written(tmp_path):
    def write(document):
        file = tmp_path / "ask.yaml"
        file.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
        return file

    return write


def test_every_scenario_of_the_repository_can_be_read():
    files = list(content("scenarios").glob("*.yaml"))
    assert files
    for file in files:
        assert (content("loadtests") / f"{read_scenario(file).loadtest}.py").is_file()


@pytest.mark.parametrize("file", sorted(content("scenarios").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_scenario_of_the_repository_can_be_scheduled(file):
    scenario = read_scenario(file)
    loads = schedule(scenario, TARGET, EXCHANGES, 0.0)
    assert [load.name for load in loads[-len(scenario.stages) :]] == [stage.name for stage in scenario.stages]
    assert all(len(load.arrivals_s) for load in loads if isinstance(load, OpenLoop))


def test_the_page_on_scenarios_names_every_key_and_no_other():
    page = (Path(__file__).parents[3] / "docs" / "scenarios.md").read_text(encoding="utf-8")
    documented = set(
        re.findall(r"^\| `([\w.]+)`", page.partition("## Every key")[2].partition("\n## ")[0], re.MULTILINE)
    )
    stage = {f"stages.{name}" for name in Stage.model_fields}
    ramp = {f"stages.ramp.{name}" for name in Ramp.model_fields}
    trace = {f"stages.trace.{name}" for name in Replay.model_fields}
    slos = {f"slos.{name}" for name in Objectives.model_fields}
    goodput = {f"slos.goodput.{name}" for name in Goodput.model_fields}
    assert documented == set(Scenario.model_fields) | stage | ramp | trace | slos | goodput


def test_a_stage_without_objectives_has_those_of_the_scenario(written):
    scenario = read_scenario(written(GOOD))
    base, peak = scenario.stages
    assert scenario.objectives(base).latency_s == {"p99": 0.5}
    assert scenario.objectives(peak) == Objectives(error_ratio=0.1)
    assert scenario.duration_s == 8.5


def changed(*path, to):
    document = yaml.safe_load(yaml.safe_dump(GOOD))
    inner = document
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = to
    return document


def demanding(**demand):
    return changed("stages", 0, to={"name": "base", "duration_s": 4, **demand})


def goodput(**limits):
    return changed("slos", "goodput", to={"deadline_s": 1, "at_least_ratio": 0.9, **limits})


def bursty(cv):
    return demanding(rate_rps=10, arrivals="gamma", cv=cv)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (changed("sedd", to=1), r"ask.yaml, sedd: expected one of .*, found an unknown key; did you mean `seed`\?"),
        (changed("stages", 1, "rate", to=1), r"stages.1.rate: .* found an unknown key; did you mean `rate_rps`\?"),
        (changed("slos", "p99", to=1), r"slos.p99: expected one of latency_s, ttft_s, tpot_s, .*goodput"),
        (changed("slos", "tfft_s", to={"p99": 1}), r"slos.tfft_s: .* did you mean `ttft_s`\?"),
        (changed("slos", "itl_s", to={"p99": 1}), r"slos.itl_s: .* did you mean `longest_gap_s`\?"),
        (changed("slos", "e2e_s", to={"p99": 1}), r"slos.e2e_s: .* did you mean `latency_s`\?"),
        (changed("slos", "ttft_s", to=1.0), r"slos.ttft_s: expected a mapping, found 1.0"),
        (changed("slos", "tpot_s", to={"p100": 1}), r"slos.tpot_s: expected percentiles like p50"),
        (changed("slos", "longest_gap_s", to={"p99": "1"}), r"slos.longest_gap_s.p99: expected a number, found '1'"),
        (changed("slos", "normalised_s", to={"p50": math.nan}), r"expected seconds above 0 for p50, found nan"),
        (changed("stages", 0, "rate_rps", to="ten"), r"stages.0.rate_rps: expected a number, found 'ten'"),
        (changed("stages", 0, "rate_rps", to=True), r"stages.0.rate_rps: expected a number, found true"),
        (changed("stages", 0, "rate_rps", to=0), r"stages.0.rate_rps: expected more than 0, found 0"),
        (changed("stages", 0, "rate_rps", to=1e9), r"stages.0.rate_rps: expected at most 1280000"),
        (changed("stages", 1, "name", to="base"), r"expected stages with names of their own"),
        (changed("stages", 1, "name", to="warm-up"), r"expected stages with names of their own"),
        (changed("stages", to=[]), r"stages: expected .*at least 1 item"),
        (changed("connection", to="pool"), r"connection: expected 'new', 'keep-alive' or 'pooled', found 'pool'"),
        (changed("arrivals", to="weibull"), r"arrivals: expected 'poisson', 'constant' or 'gamma', found 'weibull'"),
        (changed("arrivals", to="gamma"), r"the file: expected a cv above 0, .* found arrivals gamma and cv None"),
        (changed("cv", to=2), r"the file: expected a cv above 0, .* found arrivals poisson and cv 2.0"),
        (changed("stages", 0, "cv", to=2), r"stages.0: expected a cv above 0, .* found arrivals None and cv 2.0"),
        (bursty(cv=0), r"stages.0.cv: expected 0.01 or more, found 0"),
        (bursty(cv=11), r"stages.0.cv: expected at most 10, found 11"),
        (demanding(), r"stages.0: expected one of rate_rps, ramp, concurrency, trace, found none; correct it"),
        (demanding(rate_rps=1, concurrency=2), r"stages.0: expected one of .*, found rate_rps and concurrency"),
        (demanding(concurrency=0), r"stages.0.concurrency: expected 1 or more, found 0"),
        (demanding(concurrency=1.5), r"stages.0.concurrency: expected a whole number, found 1.5"),
        (demanding(concurrency=2, arrivals="poisson"), r"stages.0: expected arrivals beside rate_rps or ramp only"),
        (demanding(ramp={"from_rps": 0, "to_rps": 0}), r"stages.0.ramp: expected from_rps or to_rps above 0"),
        (demanding(ramp={"from_rps": -1, "to_rps": 2}), r"stages.0.ramp.from_rps: expected 0 or more"),
        (demanding(ramp={"from_rps": 1}), r"stages.0.ramp.to_rps: expected a value, found none; add the key"),
        (demanding(ramp={"from": 1, "to_rps": 2}), r"stages.0.ramp.from: .* did you mean `from_rps`\?"),
        (demanding(trace={"file": "none.csv"}), r"none.csv: expected a trace, found No such file"),
        (demanding(trace={"file": "x.csv", "speed": 0}), r"stages.0.trace.speed: expected more than 0, found 0"),
        (demanding(trace={"file": "x.csv", "timestamp_unit": "h"}), r"trace.timestamp_unit: expected 's' or 'ms'"),
        (demanding(trace={"file": "x.csv", "sped": 2}), r"stages.0.trace.sped: .* did you mean `speed`\?"),
        (changed("slos", "latency_s", to={"p100": 1}), r"slos.latency_s: expected percentiles like p50"),
        (changed("slos", "latency_s", to={"99": 1}), r"slos.latency_s: expected percentiles like p50"),
        (changed("slos", "latency_s", to={"p50": 0}), r"expected seconds above 0 for p50, found 0"),
        (changed("slos", "error_ratio", to=1.5), r"slos.error_ratio: expected less than 1, found 1.5"),
        (
            changed("slos", "goodput", to={"deadline_s": 1}),
            r"slos.goodput.at_least_ratio: expected a value, found none",
        ),
        (
            changed("slos", "goodput", to={"at_least_ratio": 0.9}),
            r"slos.goodput: expected one or more of deadline_s, ttft_s, tpot_s, .*, found none",
        ),
        (goodput(ttft_s=0), r"slos.goodput.ttft_s: expected more than 0, found 0"),
        (goodput(ttft=1), r"slos.goodput.ttft: .* found an unknown key; did you mean `ttft_s`\?"),
        (goodput(itl_s=1), r"slos.goodput.itl_s: .* did you mean `longest_gap_s`\?"),
        (goodput(e2e_s=1), r"slos.goodput.e2e_s: .* did you mean `deadline_s`\?"),
        (changed("apiVersion", to="v2"), r"apiVersion: expected 'seatrial/v1', found 'v2'"),
        ("a: [", r"ask.yaml, line 1, column 5: expected a scenario in YAML"),
        ("- a", r"ask.yaml: expected a mapping, found a list"),
        ("", r"ask.yaml: expected a mapping, found nothing"),
    ],
)
def test_a_mistake_is_named_by_file_and_key(written, document, said):
    with pytest.raises(InputError, match=said):
        read_scenario(written(document))


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"deadline_s": 0.5}, "within 0.5 s"),
        ({"tpot_s": 0.05, "ttft_s": 1}, "with TTFT <= 1 s and TPOT <= 0.05 s"),
        ({"deadline_s": 9, "longest_gap_s": 0.2, "normalised_s": 0.1},
         "within 9 s with longest gap <= 0.2 s and normalised latency <= 0.1 s"),
        ({"ttft_s": 1, "tpot_s": 2, "longest_gap_s": 3}, "with TTFT <= 1 s, TPOT <= 2 s and longest gap <= 3 s"),
        ({"ttft_s": 1}, "with TTFT <= 1 s"),
    ],
)  # fmt: skip
def test_the_limits_of_goodput_are_said_in_words(limits, said):
    assert Goodput(at_least_ratio=0.9, **limits).limits == said


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.yaml: expected a scenario, found No such file"):
        read_scenario(tmp_path / "none.yaml")


def test_a_trace_lies_beside_the_scenario_and_lasts_its_stage(written, tmp_path):
    (tmp_path / "x.csv").write_text("timestamp\n5\n6\n9\n")
    stage = read_scenario(written(demanding(trace={"file": "x.csv"}))).stages[0]
    assert stage.trace.read().arrivals_s.tolist() == [0, 1, 4]
    fast = demanding(trace={"file": "x.csv", "speed": 2})
    with pytest.raises(InputError, match=r"stages.0: expected a trace that lasts duration_s, found one that ends "
                                         r"after 3.5 s at speed 2; give a duration_s of at most that"):  # fmt: skip
        read_scenario(written(fast))


def test_a_stage_may_have_arrivals_of_its_own(written):
    document = bursty(cv=2.5)
    document["arrivals"] = "constant"
    scenario = read_scenario(written(document))
    assert [scenario.gaps_cv(demand) for demand in (scenario.warmup, *scenario.stages)] == [0, 2.5, 0]


def test_stages_follow_one_another_without_a_gap(written):
    warm_up, base, peak = schedule(read_scenario(written(GOOD)), TARGET, EXCHANGES, start_s=100.0)
    assert [load.name for load in (warm_up, base, peak)] == ["warm-up", "base", "peak"]
    for load, start_s, end_s in ((warm_up, 100.0, 102.0), (base, 102.0, 106.5), (peak, 106.5, 108.5)):
        assert start_s <= min(load.arrivals_s)
        assert max(load.arrivals_s) < end_s
        assert len(load.picks) == len(load.arrivals_s)
    assert {load.connection for load in (warm_up, base, peak)} == {"new"}


def test_the_seed_alone_decides_the_schedule(written):
    def drawn(seed):
        loads = schedule(read_scenario(written(changed("seed", to=seed))), TARGET, EXCHANGES, 0.0)
        return [(load.name, load.arrivals_s.tolist(), load.picks.tolist()) for load in loads]

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


def test_constant_arrivals_are_evenly_spaced(written):
    *_, peak = schedule(read_scenario(written(changed("arrivals", to="constant"))), TARGET, EXCHANGES, 0.0)
    assert len(peak.arrivals_s) == 80


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1", 8080),
        ("http://web/", "web", 80),
        ("http://[::1]:8080", "::1", 8080),
    ],
)
def test_a_url_names_a_service(url, host, port):
    target = service(url)
    assert (target.host, target.port) == (host, port)


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [("http://web", 80, False), ("http://web:8080/", 8080, False), ("https://web", 443, True)],
)
def test_a_url_says_where_the_service_is_and_whether_it_speaks_tls(url, port, tls):
    target = service(url)
    assert (target.host, target.port, target.tls) == ("web", port, tls)


@pytest.mark.parametrize("url", ["", None, "127.0.0.1:80", "https://web:0", "http://", "http://web:0", "http://web:x",
                                 "http://web:99999", "http://web/path", "ftp://web"])  # fmt: skip
def test_a_url_of_another_kind_is_refused(url):
    with pytest.raises(InputError, match="--host: expected a URL like"):
        service(url)


def test_a_host_with_a_password_is_refused_and_the_password_is_not_repeated():
    with pytest.raises(InputError, match="expected a URL without user and password") as refused:
        service("http://ann:secret@web:80")
    assert "secret" not in str(refused.value)
