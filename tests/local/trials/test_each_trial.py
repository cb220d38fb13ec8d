"""Every trial once on the embedded cluster, with short windows, on a toy that promises everything there is.

What is asserted is that each saw what its checks ask for, and nothing of how fast anything was. The autoscaler decides
every 15 s on samples of 15 s: its trial takes about 100 s, and the others are run meanwhile.
"""

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from seatrial.clock import RunClock
from seatrial.clusters.local.cluster import LocalCluster
from seatrial.record import observation_from_files, observation_to_files
from seatrial.suite.opening import opened
from seatrial.suite.registry import load_trials
from seatrial.suite.subject import read_subject
from seatrial.trials import (
    autoscaling,
    batching,
    concurrency,
    dependency_outage,
    drain_mix,
    held_slots,
    install,
    large_requests,
    overload,
    pod_deletion,
    rate_limit,
    starts,
    undisturbed,
    upgrade,
    weights,
)
from seatrial.trials.race import closed_after_s
from seatrial.trials.shorter_drain import BEYOND
from seatrial.trials.trial import run_trial
from seatrial.watch.autoscaler import replica_changes
from seatrial.watch.pods import restarts

pytestmark = [pytest.mark.local, pytest.mark.timeout(300)]

TOY = Path(__file__).parents[2] / "helpers" / "toy"
AT_ONCE = 4  # trials
TRIALS = {found.name: found for found in sorted(load_trials().values(), key=lambda found: found.order)}
SHORT = {
    "autoscaling": autoscaling.Windows(settled_s=0.0, samples=1, sync_most_s=5.0),
    "batching": batching.Windows(
        full_batches=2, lone_rows=(5,), quiet_rows=(1,), trickle_for_s=1.0, bursts=2, poison_places=1, afterwards=4
    ),
    "concurrency": concurrency.Windows(lone_cases=4, answers=50, least_for_s=1.0, few_for_s=1.0),
    "dependency-outage": dependency_outage.Windows(least_s=2.0, recovered_within_s=2.0, lead_s=1.0),
    "install": install.Windows(cases=4),
    "overload": overload.Windows(
        lone_cases=4, closed_s=4.0, overload_s=3.0, settle_s=1.0, wanted_rows=20, wanted_over=20, probes=10
    ),
    "pod-deletion": pod_deletion.Windows(rounds=1, lead_s=2.5, idle_s=0.5),
    "rate-limit": rate_limit.Windows(saturated_s=3.0, honest_rounds=1, search_rounds=1, slow_rounds=1, probes=10),
    "upgrade": upgrade.Windows(calibration_s=3.0, lead_s=1.0, wanted_rows=20, most_upgrades=2),
    "weights": weights.Windows(least_s=2.0, installs=0.5, repaired_cases=4),
}


@pytest.fixture(scope="module")
def running():
    """Every trial of the engine on one cluster, a few at once; its observation is the result of its future."""
    cluster = LocalCluster()
    cluster.up()
    try:
        told = {"clock": RunClock.start(), "run_id": "et01", "seed": 1, "doing": print, "say": print}
        with opened(read_subject(TOY), cluster, **told) as context, ThreadPoolExecutor(AT_ONCE) as pool:
            futures = {}

            def run(found):
                earlier = {kind: futures[kind].result() for kind in found.after}  # begun before, by its order
                short = replace(found, run=partial(found.run, windows=SHORT[found.name]))
                return run_trial(short, context, earlier)

            futures.update((found.observes, pool.submit(run, found)) for found in TRIALS.values())
            yield futures
    finally:
        cluster.down()


# what each has to have seen


def saw_each_start_asked(seen):
    assert [(start.restart, start.ready_s is not None) for start in seen.starts] == 3 * [(0, True)] + [(1, True)]
    assert restarts(seen.timeline.changes, seen.subject)[seen.restarted] == 1
    assert {"readiness-path", "random-path", "lone", starts.POLLED} <= set(seen.ledger.texts("load"))
    for start in seen.starts:
        own = seen.ledger.in_group(start.index).to(start.pod)
        assert len(own.of(starts.POLLED).with_status(200)) >= 1
        assert own.of(starts.AT_FIRST_2XX, starts.AT_READY).right.any()
    assert seen.took_s > 0


def saw_broken_weights_and_their_repair(seen):
    assert [side.kind for side in seen.sides] == ["missing", "truncated"]
    for side in seen.sides:
        asked = seen.ledger.in_group(side.index).to(side.pod)
        assert len(asked.of(weights.POLLED).with_status(503)) >= 1  # how many depends on how fast the toy starts
        assert len(asked.of(weights.ASKED).with_status(503)) >= 1
        assert side.started_s < side.watched_until_s <= side.repaired_s < side.ready_s
        assert "WEIGHTS" in str(side.spec)
        assert len(seen.ledger.in_group(side.index).of(weights.REPAIRED)) == 4
        assert {change.kind for change in seen.within(side)} >= {"Pod", "ReplicaSet"}
    assert seen.window_s >= 2.0


def saw_replicas_follow_the_load(seen):
    assert seen.cpu_request_cores == 0.1
    assert 0 <= seen.idle_cores < 0.1
    assert seen.cpu_s_per_request > 0
    assert [(step.load, step.carried) for step in seen.steps] == [("step-1", 1.6), ("step-2", 3.0)]
    assert {autoscaling.CALIBRATE, "step-1", "step-2"} <= set(seen.ledger.texts("load"))
    assert [change.replicas for change in replica_changes(seen.timeline.changes, seen.subject)][-1] == 2
    assert autoscaling.seen_syncs(seen)
    assert seen.readings
    assert {reading.namespace for reading in seen.beacon} != {seen.namespace}


def saw_a_loaded_pod_go_and_an_idle_one(seen):
    assert [round.loaded for round in seen.rounds] == [True, False]
    for round in seen.rounds:
        assert round.deleted_s <= round.drain_sign_s < round.gone_s
        assert [end.exit_code for end in seen.exits(round)] == [0]
    (loaded,) = seen.loaded()
    asked = seen.ledger.in_group(0)
    assert {*pod_deletion.REQUESTS, pod_deletion.STREAM, "service"} <= set(asked.texts("load"))
    assert {
        pod_deletion.CONNECT,
        undisturbed.UNDISTURBED_STREAM,
        undisturbed.UNDISTURBED_LARGE,
        undisturbed.UNDISTURBED,
        undisturbed.undisturbed_as("again"),
        undisturbed.FURTHER_LONE,
    } <= set(seen.ledger.texts("load"))
    assert len(asked.to(loaded.victim).open_at(loaded.told_s)) >= 1
    (early,), (at_other,) = asked.of(drain_mix.EARLY), asked.of(drain_mix.EARLY_AT_OTHER)
    assert early.pod == loaded.victim != at_other.pod
    assert at_other.right
    assert len(seen.ledger.of(pod_deletion.CONNECT).to(seen.rounds[-1].victim)) >= 20
    assert (seen.budget_s, seen.propagation_s) == (2.0, 1.0)
    (beyond,) = seen.ledger.of(BEYOND)
    assert (seen.shorter.budget_s, seen.shorter.replaced, beyond.right) == (1.0, True, False)
    assert beyond.pod == seen.shorter.pod != seen.rounds[-1].victim
    assert seen.shorter.deleted_s <= seen.shorter.drain_sign_s < beyond.ended_s < seen.shorter.decisive_s


def saw_many_clients(seen):
    assert seen.clients == concurrency.LEAST_CLIENTS
    large = seen.ledger.of(large_requests.LARGE)
    groups = (large_requests.ALONE, large_requests.IN_COMPANY, large_requests.TOGETHER)
    assert [len(large.in_group(group)) for group in groups] == [2, 4, seen.large_at_once]
    assert seen.large_at_once > 1
    assert large.right.all()
    assert len(seen.ledger.of(concurrency.LONE)) == 4
    assert len(seen.ledger.of(concurrency.LOOP)) >= 50
    assert len(seen.ledger.of(concurrency.FEW)) >= 1
    assert seen.open_at_once() > 1
    sizes = seen.sizes("toy_batch_size", seen.loop)
    assert sizes.runs == seen.counted("toy_model_runs_total", seen.loop)
    assert 1 < sizes.mean <= 4


def saw_batches_of_two_sizes_and_poison(seen):
    assert (seen.size, seen.delay_s, seen.looks) == (4, 0.04, 1)
    assert [setting.size for setting in seen.settings] == [4, 3]
    assert set(seen.ledger.of("quiet").texts("pod")) == {seen.quiet_pod} != {seen.pod}
    counts = {name: len(seen.ledger.of(name)) for name in seen.ledger.texts("load")}
    assert {"full": 8, "lone": 5, "quiet": 1, "burst-4": 32, "burst-3": 24}.items() <= counts.items()
    for setting in seen.settings:
        sweep = seen.ledger.of(f"sweep-{setting.size}").to(setting.pod)
        assert len(closed_after_s(sweep)) == setting.races >= 14
        assert sweep.right.all()
    assert [round.poisons for round in seen.rounds] == [(0,), (2,), (3,), (1, 3)]
    for round in seen.rounds:
        assert len(seen.ledger.of(batching.GOOD).in_group(round.index)) == 4 - len(round.poisons)
    assert set(seen.ledger.of(batching.POISON, batching.ALONE).status.tolist()) == {500}
    assert len(seen.ledger.of(batching.AFTER)) == 4
    assert {scrape.status for scrape in seen.scrapes} == {200}


def saw_the_dependency_away_and_back(seen):
    assert [(outage.dependency, outage.kind) for outage in seen.outages] == [
        ("upstream", "stall"),
        ("upstream", "refuse"),
    ]
    stalled = seen.outages[0]
    assert stalled.served_before >= 1
    assert stalled.denied >= 1
    assert all(outage.end_s - outage.start_s >= seen.wanted_s for outage in seen.outages)
    cases = seen.ledger.of(dependency_outage.SERVICE)
    assert len(cases.between(stalled.start_s, seen.outages[1].end_s).with_status(503)) >= 1
    (restoration,) = seen.restorations
    assert cases.between(restoration.at_s, restoration.until_s).right.any()
    assert len(seen.ledger.of(dependency_outage.LIVENESS)) >= 2


def saw_the_limit_admit_and_refuse(seen):
    assert [(window.per_second, window.burst) for window in seen.windows] == [(20.0, 5.0), (40.0, 5.0)]
    for window in seen.windows:
        rows = seen.ledger.of(rate_limit.SATURATE).in_group(window.index).to(window.pod)
        assert len(rows.with_status(200)) >= 1
        assert len(rows.with_status(429)) >= 1
    assert [wait.searched for wait in seen.waits] == [False, True]
    assert all(wait.promised_s and wait.waited_s > 0 for wait in seen.waits)
    assert (seen.slow.per_second, seen.slow.why_not) == (0.3, "")
    assert [(wait.promised_s, wait.admitted) for wait in seen.slow.waits] == [(4.0, True)]
    assert len(seen.ledger.of("exhaust-slow").to(seen.slow.pod).with_status(429)) >= 5
    assert {change.object["metadata"].get("namespace") for change in seen.timeline.of("Pod")} == {
        seen.namespace,
        seen.slow.namespace,
    }
    assert len(seen.probed) == 2
    for pod in seen.probed:
        assert len(seen.ledger.of(rate_limit.FLOOD).to(pod).with_status(429)) >= 1
        assert len(seen.ledger.of("probe-readiness", "probe-liveness").to(pod)) == 20


def saw_the_overload_and_what_came_after(seen):
    phases = (overload.CLOSED, overload.BASELINE, overload.OVER, overload.RECOVERY)
    assert all(len(seen.ledger.of(phase)) >= 20 for phase in phases)
    assert seen.capacity_rps > 1
    assert seen.offered_ratio > 1.5
    assert len(seen.over.with_status(503)) >= 1
    assert seen.closed_s < seen.overload_s < seen.recovery_s
    assert seen.deadline_s > 0
    held = seen.ledger.to(seen.held_pod)
    assert [each.index for each in seen.held] in ([0, 1], [0, 1, 2])
    for each in seen.held:
        filled = held.in_group(each.index)
        assert len(filled.of(held_slots.HOLD)) == 2 + held_slots.MORE
        assert len(filled.of(held_slots.HOLD).with_status(503)) >= 1
        assert len(filled.of(held_slots.EXTRA).with_status(503)) >= 1
        assert held_slots.surely_at_once(seen.ledger, seen.held_pod, each) <= 2
    assert len(held.of(held_slots.FAILING)) == len(held.of(held_slots.LEAVING)) == held_slots.EACH
    assert set(held.of(held_slots.LEAVING).texts("error")) == {"abandoned"}
    assert len(held.of("probe-readiness", "probe-liveness")) == 20


def saw_every_pod_replaced_under_load(seen):
    assert seen.rounds
    for round in seen.rounds:
        assert set(round.old_pods) <= {left.pod for left in seen.departures()}
        assert round.load_s[0] < round.changed_s < round.finished_s < round.load_s[1]
        rows = seen.ledger.of(upgrade.SERVICE).in_group(round.index)
        assert rows.right.any()
        assert seen.answered_by(rows, round.old_pods[0]).any()
    assert seen.capacity_rps > 1
    assert seen.offered_rps >= 1


SAW = {
    "autoscaling": saw_replicas_follow_the_load,
    "batching": saw_batches_of_two_sizes_and_poison,
    "concurrency": saw_many_clients,
    "dependency-outage": saw_the_dependency_away_and_back,
    "install": saw_each_start_asked,
    "overload": saw_the_overload_and_what_came_after,
    "pod-deletion": saw_a_loaded_pod_go_and_an_idle_one,
    "rate-limit": saw_the_limit_admit_and_refuse,
    "upgrade": saw_every_pod_replaced_under_load,
    "weights": saw_broken_weights_and_their_repair,
}


@pytest.mark.parametrize("name", TRIALS)
def test_a_trial_sees_what_its_checks_ask_for_and_its_record_has_all_of_it(name, running, tmp_path):
    seen = running[TRIALS[name].observes].result()
    assert (type(seen), seen.trial) == (TRIALS[name].observes, name)
    assert len(seen.ledger.of("beacon")) >= 1
    assert seen.timeline.gaps == ()
    SAW[name](seen)
    observation_to_files(tmp_path, seen)
    assert differing(seen, observation_from_files(tmp_path, type(seen))) == []


def differing(one, other, where="seen"):
    """Where two observations differ. One NaN is as good as another."""
    if is_dataclass(one) and type(one) is type(other):
        pairs = [(f".{field.name}", getattr(one, field.name), getattr(other, field.name)) for field in fields(one)]
    elif isinstance(one, np.ndarray):
        return (
            [] if one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f") else [where]
        )
    elif isinstance(one, Mapping) and one.keys() == other.keys():
        pairs = [(f"[{key}]", value, other[key]) for key, value in one.items()]
    elif isinstance(one, tuple | list) and len(one) == len(other):
        pairs = [(f"[{n}]", *pair) for n, pair in enumerate(zip(one, other, strict=True))]
    elif isinstance(one, float) and math.isnan(one):
        return [] if math.isnan(other) else [where]
    else:
        return [] if one == other else [where]
    return [place for name, a, b in pairs for place in differing(a, b, where + name)]
