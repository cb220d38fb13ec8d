"""A scenario is read once; what is wrong in it is named by file, key and what was expected."""

import pytest
import yaml

from seatrial.content import content
from seatrial.errors import InputError
from seatrial.traffic.plan import Exchange, ServiceTarget
from seatrial.traffic.scenario import Objectives, read_scenario, service
from seatrial.traffic.schedule import schedule

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


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (changed("sedd", to=1), r"ask.yaml, sedd: expected one of .*, found an unknown key; did you mean `seed`\?"),
        (changed("stages", 1, "rate", to=1), r"stages.1.rate: .* found an unknown key; did you mean `rate_rps`\?"),
        (changed("slos", "p99", to=1), r"slos.p99: expected one of latency_s, error_ratio, goodput"),
        (changed("stages", 0, "rate_rps", to="ten"), r"stages.0.rate_rps: expected number, found 'ten'"),
        (changed("stages", 0, "rate_rps", to=True), r"stages.0.rate_rps: expected number, found True"),
        (changed("stages", 0, "rate_rps", to=0), r"stages.0.rate_rps: expected greater than 0, found 0"),
        (changed("stages", 0, "rate_rps", to=1e9), r"stages.0.rate_rps: expected less than or equal to 20000"),
        (changed("stages", 1, "name", to="base"), r"expected stages with names of their own"),
        (changed("stages", 1, "name", to="warm-up"), r"expected stages with names of their own"),
        (changed("stages", to=[]), r"stages: expected .*at least 1 item"),
        (changed("arrivals", to="weibull"), r"arrivals: expected 'poisson', 'constant' or 'gamma', found 'weibull'"),
        (changed("slos", "latency_s", to={"p100": 1}), r"slos.latency_s: expected percentiles like p50"),
        (changed("slos", "latency_s", to={"99": 1}), r"slos.latency_s: expected percentiles like p50"),
        (changed("slos", "latency_s", to={"p50": 0}), r"expected seconds above 0 for p50, found 0"),
        (changed("slos", "error_ratio", to=1.5), r"slos.error_ratio: expected less than 1, found 1.5"),
        (
            changed("slos", "goodput", to={"deadline_s": 1}),
            r"slos.goodput.at_least_ratio: expected a value, found none",
        ),
        (changed("apiVersion", to="v2"), r"apiVersion: expected 'seatrial/v1', found 'v2'"),
        ("a: [", r"ask.yaml, line 1, column 5: expected a scenario in YAML"),
        ("- a", r"ask.yaml: expected a mapping, found list"),
        ("", r"ask.yaml: expected a mapping, found NoneType"),
    ],
)
def test_a_mistake_is_named_by_file_and_key(written, document, said):
    with pytest.raises(InputError, match=said):
        read_scenario(written(document))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.yaml: expected a scenario, found No such file"):
        read_scenario(tmp_path / "none.yaml")


def test_stages_follow_one_another_without_a_gap(written):
    warm_up, base, peak = schedule(read_scenario(written(GOOD)), TARGET, EXCHANGES, start_s=100.0)
    assert [load.stream for load in (warm_up, base, peak)] == ["warm-up", "base", "peak"]
    for load, start_s, end_s in ((warm_up, 100.0, 102.0), (base, 102.0, 106.5), (peak, 106.5, 108.5)):
        assert start_s <= min(load.arrivals_s)
        assert max(load.arrivals_s) < end_s
        assert len(load.picks) == len(load.arrivals_s)
    assert {load.connection for load in (warm_up, base, peak)} == {"new"}


def test_the_seed_alone_decides_the_schedule(written):
    once, again, other = (
        schedule(read_scenario(written(changed("seed", to=seed))), TARGET, EXCHANGES, 0.0) for seed in (3, 3, 4)
    )
    assert once == again
    assert once != other


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


@pytest.mark.parametrize("url", ["", None, "127.0.0.1:80", "https://web", "http://", "http://web:0", "http://web:x",
                                 "http://web:99999", "http://web/path", "ftp://web"])  # fmt: skip
def test_a_url_of_another_kind_is_refused(url):
    with pytest.raises(InputError, match="--host: expected a URL like"):
        service(url)
