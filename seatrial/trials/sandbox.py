"""A release in a namespace of its own, watched from before it was installed, with a generator beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from seatrial import charts
from seatrial.clusters.base import Address
from seatrial.errors import ClusterError
from seatrial.observation import Change, GeneratorHealth, Ledger, Pod, Scrape, joined
from seatrial.traffic.fleet import Fleet, FleetRun
from seatrial.traffic.plan import (
    ChosenTarget,
    Credentials,
    Exchange,
    Load,
    Lone,
    OpenLoop,
    PodTarget,
    ServiceTarget,
    Target,
)
from seatrial.trials.context import RUN_LABEL, TrialContext
from seatrial.trials.credentials import of_environment, of_secret, signed
from seatrial.trials.harness import BEACON_PORT
from seatrial.trials.overlay import object_path, read_overlay
from seatrial.watch import pods as pod_facts
from seatrial.watch.exec import run_in_pod
from seatrial.watch.trouble import trouble
from seatrial.watch.watcher import Watcher

RELEASE = "subject"
BEACON_RPS = 4.0
BEACON_FOR_S = 900.0  # longer than any sandbox; stopped with it


class Sandbox:
    """Use as a context: the namespace is made on entry and deleted on the way out, whatever happens."""

    def __init__(self, context: TrialContext, name: str) -> None:
        self.context = context
        self.name = name
        self.namespace = f"seatrial-{context.run_id}-{name}"
        self.watcher = Watcher(context.api, self.namespace, context.clock)
        self.values: Mapping[str, Any] = {}
        self.marks: dict[str, float] = {}
        self._generator: Fleet | None = None
        self.lone_s = 0.0  # latency of a request that has a replica to itself, once measured
        self._runs: list[FleetRun] = []
        self._ledgers: dict[str, Ledger] = {}
        self._scrapes: list[Scrape] = []
        self._started_s = context.clock.now()

    def __enter__(self) -> Sandbox:
        self.context.api.create(
            "/api/v1/namespaces",
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": self.namespace, "labels": {RUN_LABEL: self.context.run_id}},
            },
        )
        self.watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._generator:
            self._generator.close()
        self.watcher.stop()
        try:
            self.context.api.delete(f"/api/v1/namespaces/{self.namespace}")
        except ClusterError as refusal:
            # Said, not raised: it would hide what went wrong first, or throw away what was seen.
            self.context.say(f"namespace {self.namespace} may be left, `seatrial clean` deletes it: {refusal}")

    # the release

    def install(self, values: Mapping[str, Any], *, replicas: int, wait: bool = True) -> float:
        """Install and, with wait, return when every pod is Ready; the seconds it took."""
        self.values = charts.with_value(self.context.chart, values, self.context.contract.replicas, replicas)
        return self._release(charts.install, wait)

    def upgrade(self, values: Mapping[str, Any], *, replicas: int, wait: bool = True) -> float:
        """Upgrade to other values; the seconds it took."""
        self.values = charts.with_value(self.context.chart, values, self.context.contract.replicas, replicas)
        return self._release(charts.upgrade, wait)

    def _release(self, act: Callable[..., Any], wait: bool) -> float:
        cluster = self.context.cluster
        before = time.monotonic()
        try:
            act(
                self.context.chart_for(self.namespace, RELEASE, self.values),
                release=RELEASE,
                target=charts.Target(cluster.kubeconfig(), cluster.context, self.namespace),
                values=self.values,
                timeout_s=self.context.contract.ready_within_s,
                wait=wait,
            )
        except charts.ReleaseFailed as failed:
            why = trouble(self.watcher.changes(), self.watcher.logs())
            raise ClusterError(f"{' '.join(str(failed).split())}{'; ' if why else ''}{why}") from failed
        return time.monotonic() - before

    def bring(self, overlay: Path) -> None:
        """Apply the manifests of a file; `${release}` and `${namespace}` in it are filled in."""
        manifests = read_overlay(overlay, release=self.full_name(), namespace=self.namespace)
        if self.context.injection.patch:
            manifests = self.context.injection.patch(manifests)
        for manifest in manifests:
            self.context.api.apply(object_path(self.context.api, self.namespace, manifest), manifest)

    def full_name(self) -> str:
        """The name of the release's Deployment."""
        deployments = self.context.api.get(f"/apis/apps/v1/namespaces/{self.namespace}/deployments")["items"]
        if not deployments:
            raise ClusterError(f"{self.namespace}: expected a Deployment of the release, found none; see the chart")
        return str(deployments[0]["metadata"]["name"])

    # the pods

    def pods(self) -> tuple[Pod, ...]:
        """The pods that are Ready and not on their way out, oldest first."""
        return pod_facts.ready_pods(self.watcher.changes())

    def wait_pods(self, count: int, timeout_s: float) -> tuple[Pod, ...]:
        """Wait for exactly `count` Ready pods; raises ClusterError after timeout_s."""
        if not self.watcher.wait(lambda changes: len(pod_facts.ready_pods(changes)) == count, timeout_s):
            raise ClusterError(
                f"{self.namespace}: expected {count} Ready pods within {timeout_s:.0f} s, found {len(self.pods())}; "
                "see the sandbox's timeline"
            )
        return self.pods()

    def scale(self, replicas: int) -> None:
        """Set the Deployment's replicas by its scale subresource."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{self.full_name()}/scale"
        self.context.api.patch(path, {"spec": {"replicas": replicas}})

    def delete_pod(self, pod: Pod) -> float:
        """Delete a pod by the API; when the call was made."""
        at_s = self.context.clock.now()
        self.context.api.delete(f"/api/v1/namespaces/{self.namespace}/pods/{pod.name}")
        return at_s

    def exec(self, pod: Pod, command: Sequence[str]) -> str:
        """Run a command in the subject's container; its output. Raises ClusterError when it cannot be run."""
        container = self.context.contract.container or str(pod.spec["containers"][0]["name"])
        return run_in_pod(self.context.cluster, self.namespace, pod.name, container, command)

    def wait_gone(self, pod: Pod, timeout_s: float) -> float | None:
        """When the pod's object was gone; None if it was still there after timeout_s."""
        self.watcher.wait(lambda changes: pod_facts.gone_at_s(changes, pod.name) is not None, timeout_s)
        return pod_facts.gone_at_s(self.watcher.changes(), pod.name)

    def wait_change(self, holds: Callable[[tuple[Change, ...]], bool], timeout_s: float) -> bool:
        """Wait for something in the watch."""
        return self.watcher.wait(holds, timeout_s)

    # the traffic

    @property
    def generator(self) -> Fleet:
        """The sandbox's own generators, synchronised and self-tested on first use."""
        if self._generator is None:
            self._generator = self.context.open_generator()
            self._generator.prepare()
            self._probe_beacon(self._generator)
        return self._generator

    def _probe_beacon(self, generator: Fleet) -> None:
        address = self.context.cluster.address(self.context.beacon_namespace, "beacon", BEACON_PORT)
        start_s = self.now() + 0.1
        arrivals_s = [start_s + n / BEACON_RPS for n in range(int(BEACON_FOR_S * BEACON_RPS))]
        ask = (Exchange("beacon", "GET", "/", expect={"beacon": True}),)
        self._runs.append(generator.start([OpenLoop("beacon", self._reach(address), ask, arrivals_s, timeout_s=5.0)]))

    def service(self) -> Target:
        """The subject's Service, as the generator reaches it."""
        name = self.context.contract.service.format(release=self.full_name())
        address = self.context.cluster.address(self.namespace, name, self.context.contract.port)
        return self._reach(address)

    def _reach(self, address: Address) -> Target:
        if address.choose_endpoints:
            return ChosenTarget(address.service, address.namespace, None, self.context.api.base_url)
        return ServiceTarget(address.service, address.host, address.port)

    def pod_target(self, pod: Pod) -> PodTarget:
        """A pod's own address."""
        return PodTarget(pod.name, pod.ip, container_port(pod.spec, self.context.contract.container))

    def start(self, *loads: Load) -> FleetRun:
        """Begin to send, times on the run's clock; the rows join the sandbox's ledger when they are collected."""
        return self._keep(self.generator.start(self._planted(loads)))

    def start_now(self, *loads: Load) -> FleetRun:
        """Begin to send, times counted from the moment the generator has the loads."""
        return self._keep(self.generator.start_now(self._planted(loads)))

    def _planted(self, loads: Sequence[Load]) -> list[Load]:
        kept = list(loads)
        for ablation in self.context.injection.ablations:
            if ablation.loads:
                kept = ablation.loads(kept)
        return signed(kept, self._credential)

    def _credential(self, asked: Credentials) -> str:
        if not asked.secret:
            return of_environment(asked)
        name = asked.secret.format(release=self.full_name())
        return of_secret(asked, name, self.context.api.find(f"/api/v1/namespaces/{self.namespace}/secrets/{name}"))

    def _keep(self, run: FleetRun) -> FleetRun:
        self._runs.append(run)
        return run

    def collect(self, run: FleetRun, timeout_s: float = 120.0) -> Ledger:
        """Wait for the end of what was started, keep it, and return it."""
        self._ledgers[run.name] = run.collect(timeout_s)
        return self._ledgers[run.name]

    def send(self, *loads: Load, timeout_s: float = 120.0) -> Ledger:
        """Start and collect."""
        return self.collect(self.start(*loads), timeout_s)

    def scrape(self, pods: Sequence[Pod]) -> tuple[Scrape, ...]:
        """Read /metrics of each pod now, by its IP.

        These requests are in neither the sandbox's ledger nor its generator's health. Health vouches for a schedule:
        that what was offered, and how latency counts, are as planned. A scrape has none. It is asked for when a trial
        gets there, `at_s` is when it was really sent, and one that fails or is late is kept as it is, for the check
        to see.
        """
        metrics = self.context.contract.metrics
        if metrics is None:
            return ()
        ask = Exchange("scrape", "GET", metrics.path, tuple(metrics.headers.items()))
        rows = self.generator.start_now(
            [OpenLoop(f"scrape-{p.name}", self.pod_target(p), (ask,), (0.01,), timeout_s=10, keep="all") for p in pods]
        ).collect(30)
        found = tuple(Scrape(row.sent_s, row.target, row.status, row.body, row.ended_s - row.sent_s) for row in rows)
        self._scrapes.extend(found)
        return found

    def _health(self) -> GeneratorHealth:
        if not self._runs:
            return GeneratorHealth(0, 0, 0.0, 0.0, 0.0, 0.0)
        health = self.generator.health(*self._runs)
        bound_s = max(health.lag_p99_bound_s, self.lone_s / 10)
        return replace(health, lag_p99_bound_s=bound_s)

    def measure_lone(self, pod: Pod, cases: Sequence[Exchange], count: int = 12) -> Ledger:
        """Send cases one after the other to an idle pod; their median latency is kept as `lone_s`."""
        rows = self.collect(self.start_now(Lone("lone", self.pod_target(pod), tuple(cases), 0.01, count, 0.05)))
        self.lone_s = lone_latency_s(rows)
        return rows

    def now(self) -> float:
        """The run's clock."""
        return self.context.clock.now()

    def mark(self, name: str) -> float:
        """Name this moment."""
        self.marks[name] = self.now()
        return self.marks[name]

    def sleep_until(self, at_s: float) -> None:
        """Wait for a moment of the run's clock."""
        time.sleep(max(0.0, at_s - self.now()))

    def seen(self, pods: Sequence[Pod] = ()) -> dict[str, Any]:
        """What every observation keeps; call it last, inside the context."""
        for run in self._runs:
            run.stop()
        for run in self._runs:
            if run.name not in self._ledgers:
                self.collect(run)
        time.sleep(0.3)  # for the watch and the logs to deliver what has happened
        changes = self.watcher.changes()
        return {
            "trial": self.name,
            "namespace": self.namespace,
            "wall_origin_s": self.context.clock.wall_origin_s,
            "started_s": self._started_s,
            "ended_s": self.now(),
            "values": json.loads(json.dumps(self.values)),
            "ledger": joined(self._ledgers.values()),
            "timeline": self.watcher.stop(),
            "scrapes": tuple(self._scrapes),
            "logs": self.watcher.logs(),
            "pods": tuple(pods) or pod_facts.all_pods(changes),
            "generator": self._health(),
            "marks": dict(self.marks),
        }


def lone_latency_s(rows: Ledger) -> float:
    """The median latency of requests that had a replica to themselves; NaN without any."""
    return float(np.nanmedian(rows.ended_s - rows.sent_s)) if len(rows) else float("nan")


def container_port(spec: Mapping[str, Any], container: str) -> int:
    """The first port of the named container, or of the first container. Raises ClusterError when there is none."""
    for each in spec["containers"]:
        if container in ("", each["name"]):
            for port in each.get("ports", ()):
                return int(port["containerPort"])
    raise ClusterError(
        f"container {container or 'first'}: expected a containerPort, found none; declare it in the chart"
    )
