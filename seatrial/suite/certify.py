"""One run: a subject, a cluster, the checks that apply, a record. All that happens is told through `Progress`."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import yaml

from seatrial.clock import RunClock
from seatrial.clusters.base import Cluster
from seatrial.errors import InputError, SeatrialError, why_stopped
from seatrial.observation import Observation
from seatrial.record import Asked, RecordWriter, RunHeader, new_run_id, summarise, utc_now
from seatrial.record.header import contract_text
from seatrial.suite.check import Check
from seatrial.suite.opening import opened
from seatrial.suite.registry import load_trials
from seatrial.suite.runner import Ended, Suite
from seatrial.suite.subject import Subject
from seatrial.trials.context import RUN_LABEL, Injection
from seatrial.trials.trial import Trial
from seatrial.verdict import Verdict
from seatrial.watch.api import Api
from seatrial.watch.images import images_run
from seatrial.watch.secrets import without_secrets


class Progress(Protocol):
    """Where a run tells what it does."""

    def plan(self, trials: int, left_s: Callable[[], float]) -> None:
        """So many trials are to be run; `left_s` tells at any time how long those not finished may take."""

    def doing(self, what: str) -> None:
        """Something begins."""

    def trial(self, ended: Ended) -> None:
        """A trial ended."""

    def verdict(self, check: Check, verdict: Verdict) -> None:
        """A check was judged."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to."""

    record: Path
    verdicts: Mapping[str, Verdict]
    exit_status: int


def certify(
    subject: Subject,
    cluster: Cluster,
    checks: Mapping[str, Check],
    progress: Progress,
    *,
    runs: Path,
    seed: int,
    lanes: int,
    injection: Injection | None = None,
    arguments: tuple[str, ...] = (),
    run_id: str = "",
    folders: tuple[Path, ...] = (),
) -> Result:
    """Put the subject on trial on a cluster, which is brought up, and judge it; `folders` may have trials of one's own.

    Whatever ends it, the record is there, and says how: that the run came to its end, was stopped, or was refused.

    Raises ClusterError when the cluster does not do as asked before the first trial; after that, whatever a trial
    cannot do is an `error` verdict of the checks that need it.
    """
    run_id = run_id or new_run_id()
    clock = RunClock.start()
    record = RecordWriter.create(runs, header(subject, cluster, checks, run_id, arguments))
    trials = load_trials(*folders)
    suite = Suite(
        subject.contract,
        checks,
        trials,
        on_trial=lambda ended: _keep_trial(subject, record, progress, ended),
        on_verdict=lambda check, verdict: _keep_verdict(record, progress, trials, check, verdict),
        lanes=lanes,
    )
    progress.plan(len(suite.agenda.waiting), suite.left_s)
    is_up = False
    try:
        progress.doing(f"cluster {cluster.name}")
        cluster.up()
        is_up = True
        record.add_versions(cluster.versions())
        subject = subject.on(cluster)
        with opened(
            subject,
            cluster,
            clock=clock,
            run_id=run_id.rpartition("-")[2],
            seed=seed,
            doing=progress.doing,
            say=progress.doing,
        ) as context:
            verdicts = suite.run(context.injected(injection) if injection else context)
    except BaseException as stopped:
        reason = why_stopped(stopped)
        try:
            if is_up:
                remove_namespaces(Api.connect(cluster.kubeconfig(), cluster.context), run_id.rpartition("-")[2])
        except SeatrialError as left:
            # The first error is the one to tell: a cluster that is gone refuses this too.
            said = f"namespaces of the run may be left, `seatrial clean` deletes them: {left}"
            reason += f"; {said}"
            progress.doing(said)
        finally:
            if isinstance(stopped, InputError):
                record.refuse(reason)
            else:
                record.interrupt(reason)
        raise
    status = summarise(record.verdicts()).exit_status
    record.finish(status)
    return Result(record.folder, verdicts, status)


def remove_namespaces(api: Api, run: str) -> None:
    """Delete what a run that was stopped has made on the cluster: its namespaces, found by their label."""
    for item in api.get("/api/v1/namespaces", labelSelector=RUN_LABEL)["items"]:
        if item["metadata"]["labels"][RUN_LABEL].split("-")[0] == run:
            api.delete(f"/api/v1/namespaces/{item['metadata']['name']}")


def header(
    subject: Subject, cluster: Cluster, checks: Mapping[str, Check], run_id: str, arguments: tuple[str, ...]
) -> RunHeader:
    """What the record says before anything was seen; the contract is kept whole, with its cases."""
    return RunHeader(
        run_id=run_id,
        started=utc_now(),
        seatrial=importlib.metadata.version("seatrial"),
        cluster=cluster.name,
        certificate=cluster.certificate,
        chart=subject.contract.name,
        chart_digest=subject.digest,
        contract=contract_text(subject.contract),
        versions={
            "python": platform.python_version(),
            "platform": f"{sys.platform} {platform.release()} {platform.machine()}",
            **{name: importlib.metadata.version(name) for name in ("kubernetes", "numpy", "scipy")},
        },
        arguments=arguments,
        checks=tuple(
            Asked(check.id, check.level, check.title, check.name, check.promise, _source(check))
            for check in checks.values()
        ),
    )


def _keep_trial(subject: Subject, record: RecordWriter, progress: Progress, ended: Ended) -> None:
    name, seen = ended.trial.name, ended.seen
    if seen is None:
        record.add_trial_failure(name, ended.reason, ended.first_try, ended.remains)
    else:
        manifests = yaml.safe_dump_all(map(without_secrets, subject.rendered_offline(seen.values)))
        images = json.dumps([asdict(image) for image in images_run(seen.timeline)], indent=1)
        record.add_trial(name, seen, {"manifests.yaml": manifests, "images.json": images}, ended.first_try)
    progress.trial(ended)


def _keep_verdict(
    record: RecordWriter, progress: Progress, trials: Mapping[type[Observation], Trial], check: Check, verdict: Verdict
) -> None:
    asked = [trials[kind].name for kind in check.observes().values()]
    record.add_verdict(
        check.id,
        check.level,
        check.title,
        verdict,
        [*record.trials()] if check.sees_all else asked,
        name=check.name,
        promise=check.promise,
        source=_source(check),
    )
    progress.verdict(check, verdict)


def _source(check: Check) -> str:
    return f"{check.source.parent.name}/{check.source.name}"
