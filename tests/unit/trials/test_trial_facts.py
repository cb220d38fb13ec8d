"""What trials work out of what they are given, before and after they touch the context."""

import numpy as np
import pytest

from seatrial.contract import Drain, RateLimit
from seatrial.errors import InputError
from seatrial.observation import Change, Log, Observation, Pod, Timeline, Workload
from seatrial.traffic.plan import PodTarget
from seatrial.trials import workload
from seatrial.trials.autoscaling import of_subject
from seatrial.trials.overload import good_ends_s, goodput_rps
from seatrial.trials.pod_deletion import sign_s
from seatrial.trials.rate_limit import _burst_arrivals_s
from seatrial.trials.sandbox import lone_latency_s
from seatrial.trials.silent_wait import last_refused
from seatrial.trials.trial import run_trial, trial
from seatrial.watch.cpu import CpuReading
from tests.helpers.drains import Story, request
from tests.helpers.observations import common, contract
from tests.helpers.overloads import refusal
from tests.helpers.rate_limits import LIMIT


def test_cpu_of_pods_beside_the_subject_is_not_counted_as_the_subjects():
    """A database in the same namespace would make its replicas look idle, or busy, and the load be chosen by that."""

    def owned(kind, name, owner):
        references = [{"kind": "ReplicaSet" if kind == "Pod" else "Deployment", "name": owner}]
        return Change(0.0, kind, "ADDED", name, {"metadata": {"name": name, "ownerReferences": references}})

    def reading(namespace, pod):
        return CpuReading(10.0, namespace, pod, 9.0, 5.0, {"server": 0.5})

    changes = (
        owned("ReplicaSet", "gateway-1", "gateway"),
        owned("ReplicaSet", "gateway-2", "gateway"),
        owned("Pod", "gateway-1-a", "gateway-1"),
        owned("Pod", "gateway-2-b", "gateway-2"),
        owned("Pod", "database-0", "database"),
    )
    pods = [("ns", "gateway-1-a"), ("ns", "gateway-2-b"), ("ns", "database-0"), ("beacon", "gateway-1-a")]
    kept = of_subject([reading(*pod) for pod in pods], "ns", changes, Workload("Deployment", "gateway"))
    assert [reading.pod for reading in kept] == ["gateway-1-a", "gateway-2-b"]


def ledger_of(*rows):
    return common(rows)["ledger"]


# the declaration


class Context:
    """Of a context only its contract, and what it is told to watch."""

    kinds: tuple[str, ...] = ()

    def __init__(self, contract):
        self.contract = contract

    def watching(self, kinds):
        self.kinds = tuple(kinds)
        return self

    def limited(self, limit):
        return self


class First(Observation):
    """What comes first."""


class Second(Observation):
    """What builds on it."""


def test_a_trial_says_by_its_annotations_what_it_observes_and_needs():
    @trial("second", promise=Drain, timed=False, order=7)
    def second(context: object, first: First) -> Second:
        return Second(**{**common(), "namespace": first.namespace})

    assert (second.observes, second.after, second.promises, second.order) == (Second, (First,), (Drain,), 7)
    context = Context(contract())
    assert run_trial(second, context, {First: First(**common())}).namespace == "ns"


def test_a_trial_is_handed_the_promises_that_it_asks_for():
    @trial("third")
    def third(context: object, limit: RateLimit, first: First, drain: Drain | None) -> Second:
        return Second(**{**common(), "namespace": f"{first.namespace} {float(limit.burst):g} {drain}"})

    promising = contract(limits={"rate": {"per_second": 1, "burst": 3}})
    assert (third.after, third.promises) == ((First,), (RateLimit,))
    assert (third.promised_by(promising), third.promised_by(contract())) == (True, False)
    context = Context(promising)
    assert run_trial(third, context, {First: First(**common())}).namespace == "ns 3 None"


def test_a_trial_says_what_it_watches_beside_the_usual_kinds():
    @trial("watching", watches={"Job"})
    def watching(context: Context) -> First:
        return First(**{**common(), "values": {"watched": context.kinds}})

    assert run_trial(watching, Context(contract()), {}).values == {"watched": ("Job",)}


# overload


def test_goodput_counts_right_answers_in_time_by_when_they_ended():
    rows = ledger_of(
        request("x", 0.0, 1.0),
        request("x", 1.0, 1.0),
        request("x", 1.0, 2.5),
        request("x", 3.0, 1.0),
        refusal(request("x", 1.0)),
        {**request("x", 1.0), "error": "eof"},
    )
    assert good_ends_s(rows, 2.0).tolist() == [1.0, 2.0, 4.0]
    assert goodput_rps(rows, 2.0, 1.0, 3.0) == 1.0
    assert goodput_rps(ledger_of(), 2.0, 0.0, 1.0) == 0.0


# deletion


@pytest.mark.parametrize(
    ("pod", "at_s", "line", "seen_s"),
    [
        ("victim-0", 20.1, '{"event": "drain_started"}', 20.1),
        ("victim-0", 19.6, "drain_started", 19.6),
        ("victim-0", 19.4, "drain_started", None),
        ("victim-0", 20.1, "drain_finished", None),
        ("other", 20.1, "drain_started", None),
    ],
)
def test_the_sign_is_the_victims_own_line_after_its_deletion(pod, at_s, line, seen_s):
    victim = ("victim-0", 20.0)
    logs = (Log(pod, "server", False, ((1.0, "drain_started"), (at_s, line), (30.0, "drain_started again"))),)
    expected = 30.0 if seen_s is None and pod == "victim-0" else seen_s
    assert sign_s(*victim, "drain_started", Timeline(()), logs) == expected
    assert sign_s(*victim, "", Timeline(()), logs) is None


def test_the_sign_of_a_later_pod_of_the_victims_name_is_not_the_victims():
    victim = ("victim-0", 20.0)
    logs = (Log("victim-0", "server", False, ((30.0, "drain_started"),)),)
    made_anew = Timeline((Change(28.0, "Pod", "ADDED", "victim-0", {}),))
    assert sign_s(*victim, "drain_started", Timeline(()), logs) == 30.0
    assert sign_s(*victim, "drain_started", made_anew, logs) is None


def test_a_round_is_told_by_its_sign_or_when_sigterm_is_due():
    assert Story(0, prestop_s=4.0).round.told_s == pytest.approx(24.12)
    assert Story(0, prestop_s=4.0, sign_s=None).round.told_s == 24.0


# rate limit


@pytest.mark.parametrize("burst", [1.0, 20.0, 445.0, 1000.0, 10_000.0])
def test_what_comes_at_once_is_larger_than_the_burst_and_comes_within_the_first_second(burst):
    at_once_s = _burst_arrivals_s(5.0, burst)
    assert len(at_once_s) == burst + 5
    assert 5.0 == at_once_s[0] <= at_once_s[-1] < 5.9
    assert np.all(np.diff(at_once_s) > 0)


def test_the_refusal_answered_last_speaks_for_the_empty_bucket():
    rows = ledger_of(
        refusal(request("exhaust", 1.0), 0.5, 429),
        refusal(request("exhaust", 1.1), 0.1, 429),
        request("exhaust", 1.2),
        refusal(request("exhaust", 1.3), 0.9, 503),
    )
    limit = contract(limits={"rate": LIMIT}).limits.rate
    assert last_refused(rows, limit).sent_s == 1.0
    assert last_refused(rows.with_status(200), limit) is None
    assert last_refused(rows, None) is None


# what is asked


def test_cases_are_asked_as_the_contract_has_them():
    promises = contract()
    exchanges = workload.cases(promises)
    assert len({exchange.body for exchange in exchanges}) == 72
    first = exchanges[0]
    assert (first.case, first.method, first.path, first.expect) == ("c0", "POST", "/infer", {"answer": 0})
    assert ("Content-Type", "application/json") in first.headers


def test_a_long_case_has_its_length_wherever_it_is_told():
    promises = contract()
    inference = {
        **promises.inference.model_dump(),
        "long": {"request": {"t": ["{seconds}s"], "n": 1}, "expect": "slept {seconds}"},
    }
    promises = promises.model_validate({**promises.model_dump(), "inference": inference})
    asked = workload.long_case(promises, 4.5)
    assert (asked.body, asked.expect) == (b'{"t": ["4.5s"], "n": 1}', "slept 4.5")
    with pytest.raises(InputError, match=r"inference\.long"):
        workload.long_case(contract(), 4.5)


@pytest.mark.parametrize(
    ("status", "body", "error", "declared"),
    [
        (503, '{"error": "busy", "more": 1}', "", True),
        (503, '{"error": "other"}', "", False),
        (503, "busy", "", False),
        (429, '{"error": "busy"}', "", False),
        (503, '{"error": "busy"}', "eof", False),
    ],
)
def test_a_refusal_has_the_declared_status_and_body(status, body, error, declared):
    reject = contract(
        limits={"concurrency": {"limit": 1, "reject": {"status": 503, "body": {"error": "busy"}}}}
    ).limits.concurrency.reject
    (row,) = ledger_of({"status": status, "body": body, "error": error})
    assert workload.is_declared_refusal(row, reject) is declared
    assert workload.is_declared_refusal(row, reject.model_copy(update={"body": None})) is (status == 503 and not error)


@pytest.mark.parametrize(
    ("version", "agent"),
    [("v1.34.4", "kube-probe/1.34"), ("v1.34.0+seatrial", "kube-probe/1.34"), ("v1.9.11-gke.1", "kube-probe/1.9")],
)
def test_probes_are_sent_as_the_clusters_own_kubelets_send_them(version, agent):
    assert workload.probe_agent(version) == agent


SPEC = {
    "containers": [
        {"name": "proxy"},
        {
            "name": "server",
            "ports": [{"name": "web", "containerPort": 8080}],
            "readinessProbe": {
                "httpGet": {"path": "/ready", "port": "web", "httpHeaders": [{"name": "Host", "value": "x"}]},
                "periodSeconds": 2,
            },
            "livenessProbe": {"exec": {"command": ["true"]}},
        },
    ]
}


def test_a_probe_is_read_from_the_live_spec_with_the_apis_defaults():
    probe = workload.probe(SPEC, "server", "readiness")
    assert (probe.path, probe.port, probe.period_s, probe.timeout_s, probe.failure_threshold) == (
        "/ready",
        8080,
        2,
        1,
        3,
    )
    assert probe.patience_s == 7
    headers = (("User-Agent", "kube-probe/1.34"), ("Accept", "*/*"), ("Host", "x"))
    assert probe.exchange("readiness", "kube-probe/1.34").headers == headers
    assert probe.target(Pod("a", "10.0.0.1", "n", "u", SPEC)) == PodTarget("a", "10.0.0.1", 8080)


@pytest.mark.parametrize(("container", "kind"), [("server", "liveness"), ("server", "startup"), ("", "readiness")])
def test_what_is_not_asked_over_http_is_no_http_probe(container, kind):
    assert workload.probe(SPEC, container, kind) is None


def test_a_lone_request_takes_its_median():
    assert lone_latency_s(
        ledger_of(request("lone", 1.0, 0.1), request("lone", 2.0, 0.3), request("lone", 3.0, 0.2))
    ) == (pytest.approx(0.2))
    assert np.isnan(lone_latency_s(ledger_of()))


# what the network shares


def test_an_error_is_the_networks_if_the_beacons_broke_within_a_second():
    def seen(beacon_s, row_s):
        beacon = {**request("beacon", beacon_s - 0.01, 0.01), "error": "reset", "correct": 0}
        row = {**request("overload", row_s - 0.01, 0.01), "error": "reset", "correct": 0}
        return Observation(**common([beacon, row, request("overload", row_s)]))

    for apart_s, shared in ((0.0, True), (0.99, True), (-0.99, True), (1.01, False)):
        made = seen(50.0, 50.0 + apart_s)
        assert made.environmental(made.ledger.of("overload")).tolist() == [shared, False]


def test_connections_that_never_came_about_are_compared_by_when_they_set_out():
    beacon = {**request("beacon", 50.0, 5.0), "error": "timeout", "correct": 0}
    waited = {**request("overload", 50.5, 30.0), "error": "timeout", "correct": 0, "connected_s": np.nan}
    hung = {**waited, "connected_s": 50.6}
    made = Observation(**common([beacon, waited, hung]))
    assert made.environmental(made.ledger.of("overload")).tolist() == [True, False]


@pytest.mark.parametrize(
    ("sent_s", "took_s", "beside"),
    [(50.0, 0.1, True), (52.4, 0.1, True), (52.6, 0.1, False), (48.8, 0.1, False), (48.8, 0.3, True)],
)
def test_what_was_under_way_within_a_second_of_a_late_beacon_was_held_up_with_it(sent_s, took_s, beside):
    """The generator stood still, too, and sent the beacon's request 1.4 s after it was due."""
    late = {**request("beacon", 50.0, 1.5), "sent_s": 51.4}
    made = Observation(**common([late, request("beacon", 70.0, 0.1), request("a", sent_s, took_s)]))
    assert made.held_up(made.ledger.of("a"), 0.25).tolist() == [beside]
    assert made.held_up(made.ledger.of("a"), 1.6).tolist() == [False]
