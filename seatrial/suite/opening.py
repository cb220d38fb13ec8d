"""What stands before the first trial: images taken in, a harness, and the context that trials work in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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

    Raises InputError for a workload that the cluster cannot run and for an image or a dependency that it cannot have,
    ClusterError when it does not do as asked. The harness and what releases kept on disk are gone afterwards.
    """
    refuse_what_does_not_run(subject, cluster)
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


def refuse_what_does_not_run(subject: Subject, cluster: Cluster) -> None:
    """Raises InputError where the cluster makes no pods of a workload's kind: nothing is deployed then."""
    for name, workload in subject.workloads.items():
        if workload.kind and not cluster.runs(workload.kind):
            raise InputError(
                f"{subject.file}, workloads.{name}.kind: expected a kind of workload that cluster `{cluster.name}` "
                f"runs, found {workload}: nothing there makes pods of a {workload.kind}; "
                "put it on trial with --cluster kind"
            )
