"""What stands before the first trial: images taken in, a harness, and the context that trials work in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from seatrial import charts
from seatrial.clock import RunClock
from seatrial.clusters.base import Cluster
from seatrial.errors import InputError
from seatrial.images import AGENT, own_recipes, take_in, try_pulls
from seatrial.suite.subject import Subject
from seatrial.trials.context import Manifest, TrialContext, with_replicas
from seatrial.trials.harness import Harness
from seatrial.trials.sandbox.dependencies import refuse_what_cannot_be_brought
from seatrial.trials.workload import probe_agent
from seatrial.watch.api import Api

MOST_REPLICAS = 3


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
    if overlooked := cluster.overlooks(subject.manifests):
        doing(f"{cluster.name} takes and does not heed: {'; '.join(overlooked)}")
    brought = refuse_what_cannot_be_brought(cluster, subject.contract, subject.file)
    folder = Path(tempfile.mkdtemp(prefix="seatrial-"))
    try:
        doing("images")
        take_in(cluster, [AGENT], own_recipes())
        take_in(cluster, [*subject.images, *brought], subject.recipes)
        refuse_what_the_cluster_lacks(subject, cluster)  # once more: of images it knows only now what is in them
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
    """Raises InputError with the list of what the chart has and the cluster cannot run: nothing is deployed then.

    Of the workload under load there are as many pods as trials install at most.
    """
    definitions = charts.crds(subject.chart)
    manifests = with_replicas(subject.manifests, subject.workload, MOST_REPLICAS)
    if lacking := cluster.lacks([*manifests, *definitions]):
        other = "with --cluster kind" if cluster.name == "local" else "on a cluster that has them"
        raise InputError(
            f"{_expected(subject, cluster)}{'; '.join(lacking)}; "
            f"switch them off under `values` in the contract, or put it on trial {other}"
        )
    if unserved := list(_unserved(subject, definitions)):
        raise InputError(
            f"{_expected(subject, cluster)}{'; '.join(unserved)}; "
            "switch them off under `values` in the contract, or install what defines them there"
        )


def _expected(subject: Subject, cluster: Cluster) -> str:
    return f"{subject.chart}: expected a chart that cluster `{cluster.name}` can run, found "


def _unserved(subject: Subject, definitions: Sequence[Manifest]) -> Iterator[str]:
    """Kinds that a cluster that is up does not have, and that the chart does not define in its `crds/`.

    Hooks are left out: what they are about may be there by then.
    """
    known = {*subject.capabilities.api_versions, *(name for each in definitions for name in _defined_by(each))}
    for manifest in subject.manifests if subject.capabilities.kubeconfig else ():
        name, kind = manifest["metadata"]["name"], manifest["kind"]
        if f"{manifest.get('apiVersion')}/{kind}" not in known and not charts.is_hook(manifest):
            yield f"{kind} {name}, of {manifest.get('apiVersion')}, which it does not serve"


def _defined_by(definition: Manifest) -> Iterator[str]:
    spec = definition.get("spec") or {}
    for version in spec.get("versions") or ():
        yield f"{spec.get('group')}/{version.get('name')}/{(spec.get('names') or {}).get('kind')}"
