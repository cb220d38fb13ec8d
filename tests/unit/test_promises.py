"""Where a promise stands, whether it is made, and what a chart renders that cannot keep it."""

from pathlib import Path

import pytest

from seatrial.contract import (
    Contract,
    Drain,
    Limits,
    LivenessProbe,
    Part,
    Promise,
    RateLimit,
    ReadinessProbe,
    Restart,
    RetryAfter,
    ShedsLoad,
)
from seatrial.contract.promises import most_specific, path_of, places
from seatrial.contract.rendered import Rendered
from seatrial.errors import InputError
from seatrial.observation import Workload
from tests.helpers.observations import contract

RATE = {"per_second": 1, "burst": 1}


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (Drain, "drain"),
        (RateLimit, "limits.rate"),
        (RetryAfter, "limits.rate.reject.retry_after"),
        (Limits, "limits.rate|limits.concurrency"),
        (ReadinessProbe, "probes.readiness"),
        (ShedsLoad, "probes.readiness_sheds_load"),
    ],
)
def test_where_a_promise_stands_is_read_from_the_models(kind, path):
    assert Contract.path_of(kind) == path


@pytest.mark.parametrize(
    ("made", "kind", "is_made"),
    [
        ({}, Drain, False),
        ({"drain": {"budget_s": 1}}, Drain, True),
        ({}, Limits, False),
        ({"limits": {"rate": RATE}}, Limits, True),
        ({"limits": {"concurrency": {"limit": 1}}}, Limits, True),
        ({"limits": {"concurrency": {"limit": 1}}}, RateLimit, False),
        ({}, RetryAfter, False),
        ({"limits": {"rate": RATE}}, RetryAfter, False),
        ({"limits": {"rate": {**RATE, "reject": {"status": 429, "retry_after": True}}}}, RetryAfter, True),
        ({"limits": {"concurrency": {"limit": 1, "reject": {"status": 503, "retry_after": True}}}}, RetryAfter, False),
        ({"probes": {"readiness": False}}, ReadinessProbe, False),
        ({"probes": {"readiness": True}}, ReadinessProbe, True),
        ({"probes": {"readiness": "probes.ready"}}, ReadinessProbe, True),
        ({"probes": {"readiness": "probes.ready"}}, LivenessProbe, False),
        ({"restart": []}, Restart, False),
        ({"restart": ["kill", "1"]}, Restart, True),
    ],
)
def test_a_promise_is_asked_for_by_its_type(made, kind, is_made):
    found = contract(**made).promise(kind)
    assert (found is not None) is is_made
    assert found is None or isinstance(found, kind)


def test_a_contract_is_written_down_as_it_may_be_read():
    probes = {"readiness": "probes.ready", "liveness": True, "readiness_sheds_load": False}
    made = contract(probes=probes, restart=["kill", "1"], limits={"rate": RATE})
    written = made.model_dump(mode="json")
    assert (written["probes"], written["restart"]) == (probes, ["kill", "1"])
    assert Contract.model_validate(written) == made


class Twice(Part):
    """A model with one promise in two places."""

    first: Drain | None = None
    second: Drain | None = None


class Unknown(Part, Promise):
    """What no contract has."""


def test_a_promise_with_two_places_cannot_be_asked_for_by_its_type():
    with pytest.raises(TypeError, match="Drain: expected one place in Twice"):
        places(Twice)


def test_a_promise_that_no_contract_has_is_no_key_of_it():
    for ask in (contract().promise, Contract.path_of, lambda kind: path_of(Contract, kind)):
        with pytest.raises(KeyError):
            ask(Unknown)


@pytest.mark.parametrize(
    ("paths", "left"),
    [
        (["limits.rate", "limits.rate.reject.retry_after"], ["limits.rate.reject.retry_after"]),
        (["drain", "drain"], ["drain"]),
        (["drain", "drainage"], ["drain", "drainage"]),
        ([], []),
    ],
)
def test_who_makes_a_promise_makes_those_that_it_is_part_of(paths, left):
    assert most_specific(paths) == left


WORKLOAD = Workload("Deployment", "subject", service="subject")
HTTP = {"httpGet": {"path": "/", "port": 1}}


def rendered(made, spec=None, kinds=(), folder=Path("nowhere")):
    def overlay(name):
        raise InputError(f"{name}: no manifests")

    server = {"name": "server", **(spec or {}).pop("server", {})}
    pod = {"containers": [{"name": "proxy", "livenessProbe": HTTP}, server], **(spec or {})}
    return Rendered(made, [{"kind": kind} for kind in kinds], WORKLOAD, pod, folder, overlay, lambda value, set: ())


SCALING = {"min": 1, "max": 2, "cpu_percent": 50, "cpu_s_per_request": 0.1}


@pytest.mark.parametrize(
    ("made", "spec", "kinds", "said"),
    [
        ({"drain": {"budget_s": 29.9}}, {}, (), []),
        (
            {"drain": {"budget_s": 30}},
            {},
            (),
            ["drain.budget_s: expected less than the grace period of 30 s"],
        ),
        ({"drain": {"budget_s": 8}}, {"terminationGracePeriodSeconds": 8}, (), ["drain.budget_s: expected less"]),
        ({"drain": {"budget_s": 8, "grace_s": {"value": "g", "set": 9}}}, {"terminationGracePeriodSeconds": 8}, (), []),
        ({"probes": {"readiness": True}}, {"server": {"readinessProbe": HTTP}}, (), []),
        ({"probes": {"readiness": True}}, {"server": {"readinessProbe": {"exec": {}}}}, (), []),
        ({"probes": {"readiness": True}}, {"server": {"readinessProbe": {"tcpSocket": {"port": 1}}}}, (), []),
        ({"probes": {"readiness": True}}, {"server": {"livenessProbe": HTTP}}, (), ["probes.readiness: "]),
        ({"probes": {"readiness": True, "liveness": True}}, {}, (), ["probes.readiness: ", "probes.liveness: "]),
        ({"probes": {}}, {}, (), []),
        ({"autoscaling": SCALING}, {}, ("HorizontalPodAutoscaler",), []),
        ({"autoscaling": SCALING}, {}, ("Deployment",), ["autoscaling: expected a HorizontalPodAutoscaler"]),
        (
            {"autoscaling": {**SCALING, "min": 2}},
            {},
            ("HorizontalPodAutoscaler",),
            ["autoscaling.max: expected more than min (2), found 2"],
        ),
        ({"batching": {"max_size": 4, "max_delay_ms": 10}}, {}, (), []),
    ],
)
def test_each_promise_says_what_cannot_keep_it(made, spec, kinds, said):
    promising = contract(container="server", **made)
    found = list(promising.cannot_keep(rendered(promising, dict(spec), kinds)))
    assert len(found) == len(said)
    assert all(message.startswith(start) for message, start in zip(found, said, strict=True))


def test_of_pods_that_are_made_at_run_time_nothing_is_known_beforehand():
    promising = contract(probes={"readiness": True}, drain={"budget_s": 5})
    made_later = Workload("", "", {"app": "x"}, "subject")
    unknown = Rendered(promising, (), made_later, None, Path(), lambda name: (), lambda value, set: ())
    assert list(promising.cannot_keep(unknown)) == []
    scaled = contract(autoscaling={**SCALING, "overlay": "hpa.yaml"})
    found = next(iter(scaled.cannot_keep(unknown)))
    assert found.startswith("autoscaling: expected a Deployment or StatefulSet that an autoscaler can target")


def test_an_overlay_is_read_when_it_is_there(tmp_path):
    promising = contract(autoscaling={**SCALING, "overlay": "hpa.yaml"})
    beside = rendered(promising, folder=tmp_path)
    first = next(iter(promising.cannot_keep(beside)))
    assert first == "autoscaling.overlay: expected a manifest, found no hpa.yaml; correct the name"
    (tmp_path / "hpa.yaml").write_text("{}")
    with pytest.raises(InputError, match=r"hpa\.yaml: no manifests"):
        list(promising.cannot_keep(beside))
