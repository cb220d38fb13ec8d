"""What stands before the first trial: images taken in, a harness, and the context that trials work in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from seatrial import charts
from seatrial.clock import RunClock
from seatrial.clusters.base import Cluster
from seatrial.errors import InputError
from seatrial.images import AGENT, own_recipes, take_in, try_pulls
from seatrial.suite.subject import Subject
from seatrial.trials.context import TrialContext
from seatrial.trials.harness import Harness
from seatrial.trials.sandbox.dependencies import refuse_what_cannot_be_brought
from seatrial.trials.workload import probe_agent
from seatrial.watch.api import Api


@contextmanager
def opened(
    subject: Subject,
    cluster: Cluster,
    *,
    clock: RunClock,
    run_id: str,
    seed: int,
    doing: Callable[[str], None],
    say: Callable[[str], None],
) -> Iterator[TrialContext]:
    """The context of a run on a cluster that is up; `doing` is told what begins, `say` what trials have to tell.

    Raises InputError for what the cluster cannot run, and for an image or a dependency that it cannot have,
    ClusterError when it does not do as asked. The harness and what releases kept on disk are gone afterwards.
    """
    refuse_what_the_cluster_lacks(subject, cluster)
    brought = refuse_what_cannot_be_brought(cluster, subject.contract, subject.file)
    folder = Path(tempfile.mkdtemp(prefix="seatrial-"))
    try:
        doing("images")
        take_in(cluster, [AGENT], own_recipes())
        take_in(cluster, [*subject.images, *brought], subject.recipes)
        api = Api.connect(cluster.kubeconfig(), cluster.context)
        doing("harness")
        with Harness(cluster, api, clock, run_id, doing) as harness:
            try_pulls(cluster, api, harness.namespace, subject.manifests)
            yield TrialContext(
                run_id=run_id,
                cluster=cluster,
                api=api,
                clock=clock,
                contract=subject.contract,
                chart=subject.chart,
                contract_file=subject.file,
                capabilities=subject.capabilities,
                workloads=subject.workloads,
                folder=folder,
                seed=seed,
                open_generator=harness.open_generator,
                beacon_namespace=harness.namespace,
                probe_agent=probe_agent(cluster.versions()["kubernetes"]),
                say=say,
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refuse_what_the_cluster_lacks(subject: Subject, cluster: Cluster) -> None:
    """Raises InputError with the list of what the chart has and the cluster cannot run: nothing is deployed then."""
    if lacking := cluster.lacks([*subject.manifests, *charts.crds(subject.chart)]):
        raise InputError(
            f"{subject.chart}: expected a chart that cluster `{cluster.name}` can run, found {'; '.join(lacking)}; "
            "switch them off under `values` in the contract, or put it on trial with --cluster kind"
        )
