"""The Helm release of a sandbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seatrial import charts
from seatrial.errors import ClusterError
from seatrial.trials.context import RELEASE, TrialContext
from seatrial.trials.overlay import object_path, read_overlay
from seatrial.watch.trouble import trouble
from seatrial.watch.watcher import Watcher


class Release:
    """Installed at most once. Hooks are waited for in any case; `wait` adds that every pod is Ready.

    What Helm cannot do raises ClusterError, with what keeps a pod from being Ready where there is one.
    """

    def __init__(self, context: TrialContext, namespace: str, watch: Watcher) -> None:
        self._context = context
        self._namespace = namespace
        self._watch = watch
        self._revisions: list[Mapping[str, Any]] = []  # the values of each

    @property
    def values(self) -> Mapping[str, Any]:
        """The Helm values of the present revision."""
        return self._revisions[-1] if self._revisions else {}

    def install(self, values: Mapping[str, Any], *, replicas: int, wait: bool = True) -> float:
        """Install with so many pods of the workload under load; the seconds it took."""
        return self._apply(charts.install, values, replicas, wait)

    def upgrade(self, values: Mapping[str, Any], *, replicas: int, wait: bool = True) -> float:
        """Upgrade to other values; the seconds it took.

        Without `wait` it returns as soon as the cluster has the manifests, and the rollout goes on under whatever load
        there is: `workload().wait_rolled_out` tells its end.
        """
        return self._apply(charts.upgrade, values, replicas, wait)

    def rollback(self, *, wait: bool = True) -> float:
        """Go back to the revision before the present one; the seconds it took."""
        if len(self._revisions) < 2:
            raise ClusterError(
                f"{self._namespace}: expected a revision to roll back to, found {len(self._revisions)} in all"
            )
        took_s = self._act(
            lambda: charts.rollback(release=RELEASE, target=self._target(), timeout_s=self._patience_s, wait=wait)
        )
        self._revisions.append(self._revisions[-2])
        return took_s

    def bring(self, overlay: Path) -> None:
        """Apply the manifests of a file; `${release}`, the workload's name, and `${namespace}` in it are filled in."""
        name = self._context.subject.name or RELEASE
        manifests = read_overlay(overlay, release=name, namespace=self._namespace)
        if self._context.injection.patch:
            manifests = self._context.injection.patch(manifests)
        for manifest in manifests:
            self._context.api.apply(object_path(self._context.api, self._namespace, manifest), manifest)

    def _apply(self, act: Callable[..., Any], values: Mapping[str, Any], replicas: int, wait: bool) -> float:
        context = self._context
        if path := context.contract.subject.replicas:
            values = charts.with_value(context.chart, values, path, replicas)
        chart = context.chart_for(self._namespace, RELEASE, values, replicas, upgrade=bool(self._revisions))
        self._revisions.append(values)
        return self._act(
            lambda: act(
                chart, release=RELEASE, target=self._target(), values=values, timeout_s=self._patience_s, wait=wait
            )
        )

    def _act(self, act: Callable[[], Any]) -> float:
        before = time.monotonic()
        try:
            with self._context.limit.granted():
                act()
        except charts.ReleaseFailed as failed:
            why = trouble(self._watch.changes(), self._watch.logs())
            raise ClusterError(f"{' '.join(str(failed).split())}{'; ' if why else ''}{why}") from failed
        return time.monotonic() - before

    @property
    def _patience_s(self) -> float:
        return self._context.contract.ready_within_s

    def _target(self) -> charts.Target:
        cluster = self._context.cluster
        return charts.Target(cluster.kubeconfig(), cluster.context, self._namespace)
