"""Which rows the kill matrix of a chart has: its own defects, the shared ones that fit it, an ablation a check."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from seatrial.errors import InputError
from seatrial.faults import Row, mutants, unproven
from seatrial.faults.catalogue import as_scaled
from seatrial.suite.subject import read_subject
from seatrial.trials.context import Injection
from seatrial.trials.held_slots import NO_SLOT_HELD
from seatrial.trials.pod_deletion import NOT_DELETED
from seatrial.trials.rate_limit import NO_FLOOD
from tests.helpers.observations import checks, contract
from tests.helpers.planted import GOOD, REPOSITORY, SHARED, SLOW, plant, promise, rows_of

CHARTS = sorted(
    [
        *(file.parent for file in (REPOSITORY / "charts").glob("*/contract.yaml")),
        REPOSITORY / "examples" / "storyteller",
    ]
)


@cache
def rows_here(chart: Path) -> dict[str, Row]:
    return rows_of(chart)


# the charts of this repository


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_every_row_has_checks_that_apply_and_a_description_and_can_be_promised(chart):
    subject = read_subject(chart)
    for row in rows_here(chart).values():
        assert row.checks, row.id
        assert row.description, row.id
        row.under(subject.contract)


def test_every_check_here_that_must_hold_has_three_faults_over_all_charts_and_an_ablation():
    known = [replace(row, id=f"{chart.name}: {row.id}") for chart in CHARTS for row in rows_here(chart).values()]
    assert unproven(checks(), known) == []


def test_every_shared_mutant_applies_to_some_chart_here_and_changes_it():
    """One that never applies would never be seen to be wrong."""
    charts = [*CHARTS, REPOSITORY / "examples" / "greeter"]
    planted = {row.id: row for chart in charts for row in rows_here(chart).values() if row.injection.patch}
    for mutant in mutants.shared(SHARED):
        id = mutant.file.stem.replace("_", "-")
        assert {id, f"chart:{id}"} & set(planted), id


@pytest.mark.parametrize("chart", [*CHARTS, REPOSITORY / "examples" / "greeter"], ids=lambda chart: chart.name)
def test_a_mutant_that_applies_changes_what_is_rendered(chart):
    subject = read_subject(chart)
    manifests = json.dumps(as_scaled(subject))
    for row in rows_here(chart).values():
        if row.injection.patch:
            assert row.injection.patch(json.loads(manifests)) != json.loads(manifests), row.id


# another chart


def test_another_chart_has_none_of_the_reference_services_rows_and_the_shared_ones_that_fit_it(greeter):
    found = rows_of(greeter)
    assert {id for id, row in found.items() if row.kind != "ablation"} == {
        "chart:grace-too-short",
        "chart:grace-value-ignored",
        "chart:prestop-eats-grace",
        "chart:publish-not-ready",
        "chart:shell-wraps-command",
    }
    # No rate limit, no batching, no autoscaler, no weights: nothing that judges them has a row.
    assert {row.checks for row in found.values() if row.kind == "ablation"} == {
        (id,) for id in ("B1", "D1", "D4", "D5", "D7", "D8", "L1", "L6", "L8", "P1", "P5", "P10", "P11")
    }


def test_numbers_of_a_shared_mutant_come_from_the_contract_and_the_manifests(greeter):
    """Greeter drains in 6 s, and its pods have a grace period of 30 s."""
    manifests, found = read_subject(greeter).manifests, rows_of(greeter)

    def patched(id: str) -> dict:
        copies = json.loads(json.dumps(manifests))
        return next(m for m in found[id].injection.patch(copies) if m["kind"] == "Deployment")["spec"]["template"][
            "spec"
        ]

    assert patched("chart:grace-too-short")["terminationGracePeriodSeconds"] == 4
    lifecycle = patched("chart:prestop-eats-grace")["containers"][0]["lifecycle"]
    assert lifecycle == {"preStop": {"sleep": {"seconds": 27}}}
    shell, wrap, command = patched("chart:shell-wraps-command")["containers"][0]["command"]
    assert (shell, wrap, command) == ("sh", "-c", "python3 /app/greeter.py; true")


def named(kind: str, name: str, **spec: object) -> dict:
    return {"kind": kind, "metadata": {"name": name}, "spec": spec}


def workload(name: str, kind: str = "Deployment") -> list[dict]:
    containers = [{"name": "proxy", "image": "a"}, {"name": "server", "image": "a", "command": ["serve"]}]
    return [
        named(kind, name, selector={"matchLabels": {"app": name}}, template={"spec": {"containers": containers}}),
        named("Service", name, selector={"app": name}),
        named("HorizontalPodAutoscaler", name, scaleTargetRef={"kind": kind, "name": name}, maxReplicas=9),
    ]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
@pytest.mark.parametrize(
    "mutant", ["grace_too_short", "publish_not_ready", "max_value_ignored", "replicas_above_max", "shell_wraps_command"]
)
def test_of_several_workloads_only_the_one_under_load_is_changed(mutant, kind):
    promises = contract(
        workloads={"gateway": {"kind": kind, "name": "{release}-gateway", "container": "server"}},
        drain={"budget_s": 6},
        autoscaling={"min": 1, "max": 3, "cpu_percent": 50, "cpu_s_per_request": 0.1},
    )
    row = next(one for one in mutants.shared(SHARED) if one.file.stem == mutant)
    worker, gateway = workload("subject-worker"), workload("subject-gateway", kind)
    assert row.applies([*worker, *gateway], promises)
    patched = row.patch(json.loads(json.dumps([*worker, *gateway])), promises)
    assert patched[:3] == worker
    assert patched[3:] != gateway


def test_a_workload_that_is_made_at_run_time_has_no_manifest_to_change():
    promises = contract(
        workloads={"models": {"selector": {"app": "model"}, "service": "subject-worker", "replicas": ""}},
        drain={"budget_s": 6},
    )
    applying = [one.file.stem for one in mutants.shared(SHARED) if "D7" in one.checks]
    assert applying
    for mutant in mutants.shared(SHARED):
        if mutant.file.stem in applying:
            assert not mutant.applies(workload("subject-worker"), promises)


def test_defects_beside_another_contract_are_planted_by_the_value_that_it_names(greeter):
    promise(plant(greeter, SLOW), "faults: {environment: env}\n")
    (greeter / "values.yaml").open("a").write("env: []\n")
    found = rows_of(greeter)
    slow, odd = found["slow-exit"], found["says-goodbye"]
    assert (slow.kind, slow.checks, slow.description) == ("fault", ("D1", "D5"), "It stays for long.")
    assert slow.injection == Injection({"env": [{"name": "SEATRIAL_FAULT", "value": "slow-exit"}]})
    assert (slow.server_fault, slow.contract) == ("slow-exit", {"ready_within_s": 5})
    assert (odd.kind, odd.checks, odd.server_fault) == ("odd", ("D1",), "")
    assert odd.injection == Injection({"env": [{"name": "SEATRIAL_ODD", "value": "says-goodbye"}]})


@pytest.mark.parametrize(
    ("default", "planted", "kept"),
    [
        ("env: {}", {"SEATRIAL_FAULT": "slow-exit"}, None),
        ("env: {A: b}", {"SEATRIAL_FAULT": "slow-exit"}, None),
        ("env:", [{"name": "SEATRIAL_FAULT", "value": "slow-exit"}], None),
        (
            "env: [{name: A, value: b}]",
            [{"name": "SEATRIAL_FAULT", "value": "slow-exit"}],
            {"env": [{"name": "A", "value": "b"}]},
        ),
    ],
)
def test_variables_come_as_a_mapping_or_as_a_list_and_the_charts_own_stay(greeter, default, planted, kept):
    promise(plant(greeter, SLOW), "faults: {environment: env}\n")
    (greeter / "values.yaml").open("a").write(f"{default}\n")
    row = rows_of(greeter)["slow-exit"]
    assert row.injection.values == {"env": planted}
    assert row.contract.get("values") == kept


def test_defects_without_a_way_to_plant_them_are_refused(greeter):
    with pytest.raises(InputError, match=r"contract\.yaml, faults\.environment: expected the Helm value"):
        rows_of(plant(greeter, SLOW))


def test_a_value_that_the_chart_does_not_have_is_refused_before_anything_is_deployed(greeter):
    promise(greeter, "faults: {environment: slotz}\n")
    with pytest.raises(InputError, match=r"expected a value at slotz, found nothing.*the nearest is slots"):
        read_subject(greeter)


def test_a_chart_may_have_mutants_of_its_own(greeter):
    text = '"""No slots."""\nBREAKS = {"L1"}\nVALUES = {"slots": 0}\ndef patch(manifests, contract): return manifests\n'
    row = rows_of(plant(greeter, text, folder="mutants", name="no_slots.py"))["chart:no-slots"]
    assert (row.kind, row.checks, row.injection.values) == ("chart", ("L1",), {"slots": 0})


def test_a_check_that_does_not_exist_is_refused_where_it_is_named(greeter):
    """It was passed over, and the check that was meant had a fault less than its author believed."""
    unknown = (
        r"expected ids of checks, found D77; did you mean D7\? A check of your own is known with its --conformance"
    )
    text = '"""Does."""\nBREAKS = {"D1", "D77"}\ndef patch(manifests, contract): return manifests\n'
    plant(greeter, text, folder="mutants", name="does.py")
    with pytest.raises(InputError, match=rf"mutants/does\.py, BREAKS: {unknown}"):
        rows_of(greeter)
    (greeter / "mutants" / "does.py").unlink()
    plant(greeter, text.replace("BREAKS", "SPARES"), folder="mutants", name="odd_one.py")
    with pytest.raises(InputError, match=rf"mutants/odd_one\.py, SPARES: {unknown}"):
        rows_of(greeter)
    (greeter / "mutants" / "odd_one.py").unlink()
    promise(plant(greeter, SLOW.replace('"A1"', '"D77"')), "faults: {environment: slots}\n")
    with pytest.raises(InputError, match=rf"faults/slow\.py:12, spares: {unknown}"):
        rows_of(greeter)


def test_a_shared_mutant_of_a_check_that_does_not_exist_is_refused(greeter, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "does.py").write_text(GOOD.replace("D1", "D77") + "def applies_to(manifests, contract): return False\n")
    with pytest.raises(InputError, match=r"shared/does\.py, BREAKS: expected ids of checks, found D77"):
        rows_of(greeter, shared)


def test_two_rows_of_one_name_are_refused(greeter):
    text = '"""Twice."""\nBREAKS = {"D7"}\ndef patch(manifests, contract): return manifests\n'
    with pytest.raises(InputError, match="expected one row called chart:grace-too-short, found two"):
        rows_of(plant(greeter, text, folder="mutants", name="grace_too_short.py"))


def test_the_bytecode_of_planted_defects_is_no_part_of_the_charts_digest(greeter):
    before = read_subject(greeter).digest
    (greeter / "faults" / "__pycache__").mkdir(parents=True)
    (greeter / "faults" / "__pycache__" / "slow.pyc").write_bytes(b"\0")
    assert read_subject(greeter).digest == before


# what it takes to believe a check


@pytest.mark.parametrize(
    ("level", "ablations", "breaking", "found"),
    [
        ("MUST", (NOT_DELETED,), 3, None),
        ("MUST", (NOT_DELETED,), 2, "found one and 2"),
        ("MUST", (), 3, "found none and 3"),
        ("SHOULD", (), 0, None),
    ],
)
def test_a_check_that_must_hold_is_named_for_want_of_an_ablation_or_a_third_fault(level, ablations, breaking, found):
    check = replace(checks()["D8"], level=level, ablations=ablations)
    planted = [Row(f"deaf-{n}", "fault", ("D8",), "", Injection()) for n in range(breaking)]
    beside = [Row("late", "fault", ("D5",), "", Injection()), Row("slow", "odd", ("D8",), "", Injection())]
    lacking = unproven({"D8": check}, [*planted, *planted, *beside])
    assert [found in sentence for sentence in lacking] == ([True] if found else [])


def test_an_ablation_takes_away_what_the_check_names_from_each_of_its_trials():
    found = rows_here(REPOSITORY / "charts" / "openmed-service")
    assert found["ablation:D8"].injection.ablations == (NOT_DELETED,)
    assert found["ablation:P10"].injection.ablations == (NO_FLOOD, NO_SLOT_HELD)
    assert found["ablation:P10"].description == "the rate limit is left alone; no slot is held"
