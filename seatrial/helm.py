"""Helm as a program on PATH, or as the library that pip installed; the same calls either way.

Both write to the cluster as the field manager `helm` (Helm takes the base name of its process), so that a
release which one of them installed can be upgraded by the other without a conflict over its fields.
"""

import functools
import json
import math
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from seatrial.errors import ClusterError
from seatrial.helm_calls import CallRefused, Worker
from seatrial.lifetime import ending_with_us
from seatrial.programs import on_path

Values = Mapping[str, Any]

ANSWER_WITHIN_S = 120.0
NEVER_HELMS = (126, 127)  # a shell's, for a command that cannot run or is not there
WAITS = 3  # of one action, each as long as its timeout


@dataclass(frozen=True, slots=True)
class Target:
    """Where a release lives."""

    kubeconfig: Path
    context: str | None  # None: the kubeconfig's current one
    namespace: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What templates may ask of a cluster, as Helm's `.Capabilities` has it, and where it is, if it is up."""

    kubernetes: str  # its version: v1.34.4
    api_versions: tuple[str, ...]  # `apps/v1` and `apps/v1/Deployment`
    kubeconfig: Path | None = None  # None: nobody can be asked
    context: str | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One entry of a release's history."""

    revision: int
    status: str  # Helm's word: deployed, superseded, failed, pending-upgrade, ...
    description: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark of `helm lint`."""

    severity: Literal["info", "warning", "error"]
    path: str  # within the chart
    message: str


class HelmRefused(Exception):
    """Helm's own words for why it did not do as asked; charts.py says whose fault it is."""


class Helm(Protocol):
    """Each method raises HelmRefused with Helm's message. Values are those given over the chart's own."""

    def version(self) -> str: ...
    def dependency_command(self, chart: Path) -> str: ...
    def render(
        self, chart: Path, *, release: str, namespace: str, values: Values, capabilities: Capabilities, upgrade: bool
    ) -> str:
        """Without asking a cluster. Helm adds these API versions to those that it was built with."""

    def dry_run(self, chart: Path, *, release: str, target: Target, values: Values, upgrade: bool) -> str:
        """As the cluster would get it: it has the API versions that it has, and `lookup` finds what is there.

        Hooks may be left out.
        """

    def lint(self, chart: Path, *, values: Values) -> list[Finding]: ...
    def install(
        self, chart: Path, *, release: str, target: Target, values: Values, timeout_s: float, wait: bool
    ) -> None: ...
    def upgrade(
        self, chart: Path, *, release: str, target: Target, values: Values, timeout_s: float, wait: bool
    ) -> None: ...
    def rollback(self, *, release: str, target: Target, revision: int | None, timeout_s: float, wait: bool) -> None: ...
    def uninstall(self, *, release: str, target: Target, timeout_s: float, wait: bool) -> None: ...
    def history(self, *, release: str, target: Target) -> list[Revision]: ...


@functools.cache
def available() -> Helm:
    """The helm program where PATH has one that runs, else the library."""
    program = on_path("helm")
    return HelmProgram(program.path) if program.path and program.runs else HelmSdk()


@dataclass(frozen=True, slots=True)
class HelmProgram:
    """The helm command, version 3 or 4."""

    program: Path

    def version(self) -> str:
        return self._run("version", "--template", "{{ .Version }}").strip()

    def dependency_command(self, chart: Path) -> str:
        """For a shell: it brings what the chart depends on into its `charts/`."""
        return shlex.join(["helm", "dependency", "build", str(chart)])

    def render(
        self, chart: Path, *, release: str, namespace: str, values: Values, capabilities: Capabilities, upgrade: bool
    ) -> str:
        asked = ["--kube-version", capabilities.kubernetes] if capabilities.kubernetes else []
        for name in capabilities.api_versions:
            asked += ["--api-versions", name]
        with values_file(values) as file:
            to = ("--namespace", namespace, "--values", file)
            return self._run("template", release, chart, *to, *asked, *(["--is-upgrade"] if upgrade else []))

    def dry_run(self, chart: Path, *, release: str, target: Target, values: Values, upgrade: bool) -> str:
        with values_file(values) as file:
            verb = ("upgrade", "--reset-values") if upgrade else ("install",)
            how = ("--dry-run=server", "--output", "json", "--values", file, *_to(target))
            said = self._run(*verb, release, chart, *how)
        return str(json.loads(said)["manifest"])

    def lint(self, chart: Path, *, values: Values) -> list[Finding]:
        with values_file(values) as file:
            # Helm exits with 1 on errors among its findings, which are an answer all the same.
            done = self._start("lint", chart, "--values", file)
        findings = list(_lint_lines(done.stdout))
        if done.returncode and not findings:
            raise HelmRefused(_said(done))
        return findings

    def install(
        self, chart: Path, *, release: str, target: Target, values: Values, timeout_s: float, wait: bool
    ) -> None:
        with values_file(values) as file:
            self._run(
                "install",
                release,
                chart,
                "--values",
                file,
                *_to(target),
                *_patience(timeout_s, wait),
                within_s=_longest_s(timeout_s),
            )

    def upgrade(
        self, chart: Path, *, release: str, target: Target, values: Values, timeout_s: float, wait: bool
    ) -> None:
        with values_file(values) as file:
            given = ("--values", file, "--reset-values")
            self._run(
                "upgrade",
                release,
                chart,
                *given,
                *_to(target),
                *_patience(timeout_s, wait),
                within_s=_longest_s(timeout_s),
            )

    def rollback(self, *, release: str, target: Target, revision: int | None, timeout_s: float, wait: bool) -> None:
        to = [] if revision is None else [str(revision)]
        self._run("rollback", release, *to, *_to(target), *_patience(timeout_s, wait), within_s=_longest_s(timeout_s))

    def uninstall(self, *, release: str, target: Target, timeout_s: float, wait: bool) -> None:
        self._run("uninstall", release, *_to(target), *_patience(timeout_s, wait), within_s=_longest_s(timeout_s))

    def history(self, *, release: str, target: Target) -> list[Revision]:
        return [_revision(entry) for entry in json.loads(self._run("history", release, "-o", "json", *_to(target)))]

    def _start(self, *arguments: str | Path, within_s: float = ANSWER_WITHIN_S) -> subprocess.CompletedProcess[str]:
        # An install that waits for its pods would go on to its timeout.
        command = ending_with_us([self.program, *arguments])
        try:
            return subprocess.run(command, capture_output=True, text=True, check=False, timeout=within_s)
        except subprocess.TimeoutExpired:
            raise HelmRefused(_no_end(str(arguments[0]), within_s)) from None

    def _run(self, *arguments: str | Path, within_s: float = ANSWER_WITHIN_S) -> str:
        done = self._start(*arguments, within_s=within_s)
        if done.returncode in NEVER_HELMS:
            raise ClusterError(
                f"{self.program}: expected Helm, found a program that ended with {done.returncode}: {_said(done)}; "
                "mend it, or take it off PATH: Seatrial brings Helm as a Python package"
            )
        if done.returncode:
            raise HelmRefused(_said(done))
        return done.stdout


class HelmSdk:
    """The library, in a worker process that is started at the first call and kept."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._worker: Worker | None = None

    def version(self) -> str:
        return str(self._ask("version"))

    def dependency_command(self, chart: Path) -> str:
        """As that of HelmProgram, for a machine without the program."""
        return shlex.join([sys.executable, "-c", f"import helm_python; helm_python.dependency_build({str(chart)!r})"])

    def render(
        self, chart: Path, *, release: str, namespace: str, values: Values, capabilities: Capabilities, upgrade: bool
    ) -> str:
        templates = self._ask(
            "render",
            chart=str(chart),
            values=dict(values),
            name=release,
            namespace=namespace,
            kube_version=capabilities.kubernetes,
            api_versions=list(capabilities.api_versions),
            is_upgrade=upgrade,
            is_install=not upgrade,
        )
        # As the program writes them.
        shown = [(name, text) for name, text in templates.items() if not name.endswith("/NOTES.txt")]
        return "".join(f"---\n# Source: {name}\n{text}\n" for name, text in shown)

    def dry_run(self, chart: Path, *, release: str, target: Target, values: Values, upgrade: bool) -> str:
        to: dict[str, Any] = {
            "target": _config(target),
            "chart": str(chart),
            "release": release,
            "values": dict(values),
        }
        return str(self._ask("upgrade" if upgrade else "install", **to, dry_run="server")["manifest"])

    def lint(self, chart: Path, *, values: Values) -> list[Finding]:
        report = self._ask("lint", chart=str(chart), values=dict(values))
        severities: tuple[Literal["info", "warning", "error"], ...] = ("info", "info", "warning", "error")
        return [Finding(severities[said["severity"]], said["path"], said["error"]) for said in report["messages"]]

    def install(
        self, chart: Path, *, release: str, target: Target, values: Values, timeout_s: float, wait: bool
    ) -> None:
        self._change("install", target, timeout_s, wait, chart=str(chart), release=release, values=dict(values))

    def upgrade(
        self, chart: Path, *, release: str, target: Target, values: Values, timeout_s: float, wait: bool
    ) -> None:
        self._change("upgrade", target, timeout_s, wait, chart=str(chart), release=release, values=dict(values))

    def rollback(self, *, release: str, target: Target, revision: int | None, timeout_s: float, wait: bool) -> None:
        self._change("rollback", target, timeout_s, wait, release=release, version=revision)

    def uninstall(self, *, release: str, target: Target, timeout_s: float, wait: bool) -> None:
        self._change("uninstall", target, timeout_s, wait, release=release)

    def history(self, *, release: str, target: Target) -> list[Revision]:
        return [_revision(entry) for entry in self._ask("history", target=_config(target), release=release)]

    def _change(self, action: str, target: Target, timeout_s: float, wait: bool, **arguments: Any) -> None:
        # "legacy" waiting polls every 2 s, and then that is what gets measured.
        strategy = "watcher" if wait else "hookOnly"
        patience: dict[str, Any] = {"timeout": math.ceil(timeout_s), "wait": strategy}
        self._ask(action, _longest_s(timeout_s), target=_config(target), **patience, **arguments)

    def _ask(self, action: str, within_s: float = ANSWER_WITHIN_S, **arguments: Any) -> Any:
        with self._starting:
            if self._worker is None or not self._worker.alive:
                self._worker = Worker()
        try:
            return self._worker.ask(action, arguments, within_s)
        except TimeoutError:
            raise HelmRefused(_no_end(action, within_s)) from None
        except CallRefused as refused:
            raise HelmRefused(str(refused)) from None


@contextmanager
def values_file(values: Values) -> Iterator[Path]:
    """The values as a file for `--values`: unlike `--set` it keeps numbers, strings and lists what they are."""
    with tempfile.TemporaryDirectory(prefix="seatrial-values-") as folder:
        file = Path(folder) / "values.yaml"
        file.write_text(json.dumps(values), encoding="utf-8")  # JSON is YAML, without its surprises
        yield file


def _longest_s(timeout_s: float) -> float:
    """After which an action is taken to hang: Helm's own timeout is for each hook and for the pods."""
    return WAITS * timeout_s + ANSWER_WITHIN_S


def _no_end(action: str, within_s: float) -> str:
    return f"{action} did not come to an end within {within_s:.0f} s, whatever its own timeout"


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.strip().removeprefix("Error: ") or f"helm ended with {done.returncode} and no message"


def _to(target: Target) -> list[str | Path]:
    context = ["--kube-context", target.context] if target.context else []
    return ["--kubeconfig", target.kubeconfig, "--namespace", target.namespace, *context]


def _patience(timeout_s: float, wait: bool) -> list[str]:
    return ["--timeout", f"{math.ceil(timeout_s)}s", *(["--wait"] if wait else [])]


def _config(target: Target) -> dict[str, Any]:
    return {
        "kubeconfig_path": str(target.kubeconfig),
        "kube_context": target.context,
        "namespace": target.namespace,
    }


def _revision(entry: Mapping[str, Any]) -> Revision:
    return Revision(int(entry["revision"]), str(entry["status"]), str(entry.get("description", "")))


def _lint_lines(output: str) -> Iterator[Finding]:
    """Findings from lines such as `[WARNING] templates/x.yaml: object name does not conform`."""
    severities: dict[str, Literal["info", "warning", "error"]] = {
        "[INFO]": "info",
        "[WARNING]": "warning",
        "[ERROR]": "error",
    }
    for line in output.splitlines():
        tag, _, rest = line.partition(" ")
        if tag in severities:
            path, _, message = rest.partition(": ")
            yield Finding(severities[tag], path, message)
