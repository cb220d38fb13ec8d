"""What is sent to a pod that has to stop fits into its drain with nobody disturbing it."""

from types import SimpleNamespace

import pytest

from seatrial.contract import Contract
from seatrial.ledger import ledger
from seatrial.observation import Pod
from seatrial.traffic.plan import PodTarget
from seatrial.trials.drain_mix import Further
from seatrial.trials.undisturbed import FURTHER_CASES, FURTHER_LONE, UNDISTURBED, UNDISTURBED_LARGE, fitting
from tests.helpers.observations import row

BUDGET_S, LONE_S = 6.0, 0.15
LONG = {"request": {"seconds": "{seconds}"}, "expect": {"answer": 0}, "seconds": 4}


def api(path, **other):
    cases = [{"request": {"text": f"{path} {n}"}, "expect": {"answer": f"{path} {n}"}} for n in range(16)]
    return {"path": path, "cases": cases, "long": LONG, **other}


def contract(**further):
    apis = {"first": {**api("/first"), "default": True}, **further}
    return Contract.model_validate({"apiVersion": "seatrial/v1", "name": "several", "apis": apis})


class Sandbox:
    """Two pods that answer as long as their paths take, and so much longer as they are asked to."""

    def __init__(self, promises, took_s=None, wrong=()):
        self.context, self.traffic = SimpleNamespace(contract=promises), self
        self.lone_s = LONE_S
        self.took_s, self.wrong = {} if took_s is None else took_s, wrong
        self.sent = []

    def workload(self):
        return self

    def pods(self):
        return tuple(Pod(name, "10.0.0.1", "node", name, {}) for name in ("one", "other"))

    def target(self, pod):
        return PodTarget(pod.name, pod.ip, 8080)

    def start_now(self, load):
        self.sent.append((load.name, load.target.pod))
        return load

    def collect(self, load):
        rows = []
        for exchange in load.exchanges:
            asked_s = float(exchange.case.rpartition("-")[2]) if "long-" in exchange.case else 0.0
            took_s = self.took_s.get(exchange.path, LONE_S) + asked_s
            right = took_s <= load.timeout_s and (load.name, exchange.case) not in self.wrong
            rows.append(row(load.name, 1.0, took_s, correct=int(right)))
        return ledger(rows)


def further(sandbox, budget_s=BUDGET_S):
    return fitting(sandbox, budget_s).further


def test_a_further_api_that_is_answered_is_asked_as_often_as_it_costs_no_more_than_the_default_one():
    assert further(Sandbox(contract(second=api("/second")))) == (Further("second", 8, takes_long=True),)
    slower = Sandbox(contract(second=api("/second")), {"/second": 0.6})
    assert further(slower) == (Further("second", 2, takes_long=True),)


def test_several_further_apis_share_what_one_would_get():
    found = further(Sandbox(contract(second=api("/second"), third=api("/third"), fourth=api("/fourth"))))
    assert [(each.name, each.count) for each in found] == [("second", 2), ("third", 2), ("fourth", 2)]


def test_the_default_api_and_one_that_streams_are_asked_by_other_loads():
    streamed = {
        "kind": "openai-chat",
        "model": "m",
        "streaming": True,
        "cases": [{"request": f"guest {n}", "equals": f"dear guest {n}"} for n in range(16)],
    }
    sandbox = Sandbox(contract(streamed=streamed))
    assert further(sandbox) == ()
    assert [load for load, _ in sandbox.sent if load == FURTHER_LONE] == []


@pytest.mark.parametrize(
    "how",
    [{"wrong": {(FURTHER_LONE, "second case-2")}}, {"took_s": {"/second": 1.3}}],
    ids=["its answers are not right", "they take more than a fifth of the budget"],
)
def test_a_further_api_that_does_not_fit_is_not_asked(how):
    sandbox = Sandbox(contract(second=api("/second")), **how)
    assert further(sandbox) == ()
    assert f"{UNDISTURBED}/second" not in dict(sandbox.sent)


@pytest.mark.parametrize(
    ("promised", "wrong"),
    [
        ({**api("/second"), "long": None}, ()),
        (api("/second"), {(f"{UNDISTURBED}/second", "long-4.68")}),
        (api("/second"), {(FURTHER_LONE, "long-4")}),
        (api("/second", long={**LONG, "seconds": 5.9}), ()),
    ],
    ids=["none", "it is wrong near the budget", "it is wrong at its usual length", "it takes most of the budget"],
)
def test_a_further_api_without_a_long_case_that_works_is_asked_for_short_ones_only(promised, wrong):
    sandbox = Sandbox(contract(second=promised), wrong=wrong)
    assert further(sandbox) == (Further("second", 8),)


def test_further_apis_are_asked_at_another_pod_at_the_same_time_and_one_after_the_other():
    sandbox = Sandbox(contract(second=api("/second")))
    fitting(sandbox, BUDGET_S)
    assert sandbox.sent == [
        (FURTHER_LONE, "other"),
        (UNDISTURBED, "one"),
        (f"{UNDISTURBED}/second", "other"),
        (FURTHER_LONE, "other"),
    ]


def test_a_few_of_its_cases_show_whether_it_works():
    sandbox = Sandbox(contract(second=api("/second")))
    loads = []
    sandbox.start_now = lambda load: loads.append(load) or load
    fitting(sandbox, BUDGET_S)
    lone, long = (load for load in loads if load.name == FURTHER_LONE)
    assert [exchange.case for exchange in lone.exchanges] == [f"second case-{n}" for n in range(FURTHER_CASES)]
    assert lone.count == FURTHER_CASES
    assert [exchange.case for exchange in long.exchanges] == ["long-4"]


def test_without_a_promised_drain_nothing_is_asked():
    sandbox = Sandbox(contract(second=api("/second")))
    assert fitting(sandbox, 0.0).further == ()
    assert sandbox.sent == []


@pytest.mark.parametrize(("took_s", "fits"), [(2.9, True), (3.1, False)])
def test_a_large_case_fits_into_half_of_the_budget(took_s, fits):
    large = {"request": {"text": "{repeat}end"}, "expect": {"answer": 0}, "repeat": {"text": "so ", "times": 900}}
    promised = Contract.model_validate(
        {"apiVersion": "seatrial/v1", "name": "one", "inference": {**api("/first"), "large": large}}
    )
    sandbox = Sandbox(promised, {"/first": took_s})
    assert fitting(sandbox, BUDGET_S).large is fits
    assert sandbox.sent[0] == (UNDISTURBED_LARGE, "one")
