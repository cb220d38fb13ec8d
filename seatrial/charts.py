"""Helm charts: render, lint, install, upgrade, roll back, uninstall, and mutate.

Values are nested dictionaries laid over the chart's own, so that their types survive. A chart or value that is
wrong raises InputError, a cluster that refuses raises ClusterError, and a release that the cluster took but
that did not come up (its hook failed, its pods were not ready in time) raises ReleaseFailed: for a trial that
is a finding, not a breakdown.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from seatrial import helm
from seatrial.chart_values import missing_subcharts, subcharts, value_at, with_value
from seatrial.documents import read_text, yaml_mistake
from seatrial.errors import ClusterError, InputError
from seatrial.helm import Capabilities, Finding, HelmRefused, Revision, Target, Values

__all__ = [
    "Capabilities",
    "Finding",
    "ReleaseFailed",
    "Revision",
    "Target",
    "crds",
    "history",
    "install",
    "is_hook",
    "lint",
    "patched",
    "read_manifests",
    "refuse_missing_subcharts",
    "render",
    "rollback",
    "uninstall",
    "upgrade",
    "value_at",
    "with_value",
]

Manifest = dict[str, Any]


class ReleaseFailed(ClusterError):
    """The release is in the cluster with status `failed`; the message is Helm's."""


ANY_CLUSTER = Capabilities("", ())


def render(
    chart: Path,
    *,
    release: str,
    namespace: str,
    values: Values,
    capabilities: Capabilities = ANY_CLUSTER,
    upgrade: bool = False,
) -> list[Manifest]:
    """All manifests, hooks and tests included, ordered by kind, then name; as for a cluster of these capabilities.

    One that is up is asked: it gets to see what it would install, and changes nothing. Only its hooks, and charts
    whose kinds it does not have yet, are rendered without it: to these Helm's own API versions seem to be there, too.
    Raises InputError when the chart cannot be read or rendered, or its schema or the cluster refuses what comes of it;
    ClusterError when a cluster that is up does not answer.
    """
    what: dict[str, Any] = {"release": release, "values": values, "upgrade": upgrade}
    by_helm = helm.available()
    try:
        offline = by_helm.render(chart, namespace=namespace, capabilities=capabilities, **what)
        manifests = read_manifests(offline, chart)
        if capabilities.kubeconfig:
            target = Target(capabilities.kubeconfig, capabilities.context, namespace)
            manifests = _as_installed(manifests, lambda: by_helm.dry_run(chart, target=target, **what), chart)
    except HelmRefused as refusal:
        raise InputError(
            f"{chart}: expected a chart that renders with these values; helm says: {_said(refusal)}"
        ) from None
    return sorted(manifests, key=lambda manifest: (manifest["kind"], manifest["metadata"]["name"]))


def read_manifests(text: str, source: Path) -> list[Manifest]:
    """The objects of a YAML stream, as Kubernetes reads them, in their order; those of a List in its place.

    Raises InputError, naming `source` and the template, when it is no YAML or holds anything but objects.
    """
    return [manifest for template, part in _by_template(text) for manifest in _manifests(part, source, template)]


def _by_template(text: str) -> Iterator[tuple[str, str]]:
    """The parts of what Helm rendered, each with the name of its template, "" where it does not say one."""
    first, *parts = re.split(r"^---[ \t]*\n# Source: (.+)\n", text, flags=re.MULTILINE)
    yield "", first
    yield from zip(parts[::2], parts[1::2], strict=True)


def _manifests(text: str, source: Path, template: str) -> list[Manifest]:
    named, mend = (f"{source}, template {template}", f"mend {template}") if template else (str(source), "mend the file")
    try:
        documents = [document for document in yaml.load_all(text, Loader=_KubernetesYaml) if document]
    except yaml.YAMLError as broken:
        where, found = yaml_mistake(broken)
        of = " of what it renders" if template and where else ""
        raise InputError(f"{named}{where}{of}: expected manifests in YAML, found {found}; {mend}") from None
    manifests = [manifest for document in documents for manifest in _items(document)]
    for manifest in manifests:
        if not _is_object(manifest):
            raise InputError(f"{named}: expected manifests with kind and metadata.name, found {manifest!r:.80}; {mend}")
    return manifests


def _said(refusal: HelmRefused) -> str:
    """Helm's words, a line for each mistake that the chart names, without the hint to debug."""
    return str(refusal).removesuffix("Use --debug flag to render out invalid YAML").strip()


def refuse_missing_subcharts(chart: Path) -> None:
    """Raises InputError, with the command that brings them, where dependencies are not in `charts/`."""
    for incomplete, names in missing_subcharts(chart):
        raise InputError(
            f"{incomplete}: expected its dependencies in charts/, found none for {', '.join(names)}; "
            f"run: {helm.available().dependency_command(incomplete)}"
        )


def crds(chart: Path) -> list[Manifest]:
    """What lies in the `crds/` of a chart folder and of its subcharts: Helm installs it before all else, as it is.

    Raises InputError when one is no YAML or holds anything but objects. Source: Helm, "Custom Resource Definitions".
    """
    files = [file for file in sorted((chart / "crds").rglob("*")) if file.suffix in (".yaml", ".yml", ".json")]
    own = [manifest for file in files for manifest in read_manifests(read_text(file, "manifests"), file)]
    return [*own, *(manifest for subchart in subcharts(chart) for manifest in crds(subchart))]


def _items(document: Any) -> list[Any]:
    """The items of a List (`List`, `ConfigMapList`), which Helm installs as objects of their own; else the document."""
    if isinstance(document, dict) and str(document.get("kind", "")).endswith("List"):
        items = document.get("items")
        if isinstance(items, list):
            return items
    return [document]


def is_hook(manifest: Manifest) -> bool:
    """Whether Helm makes the object at a moment of its own, and not with the release's others."""
    return "helm.sh/hook" in (manifest["metadata"].get("annotations") or {})


def _as_installed(offline: list[Manifest], dry_run: Callable[[], str], chart: Path) -> list[Manifest]:
    """What a cluster says that it would get, with the hooks that were rendered without it.

    All of that where the cluster does not know one of the kinds: whether it will is seen when the chart is installed.
    Raises HelmRefused where it has something else against the chart, ClusterError where it does not answer.
    """
    try:
        seen = read_manifests(dry_run(), chart)
    except HelmRefused as refusal:
        if "no matches for kind" in str(refusal):
            return offline
        if re.search("cluster unreachable|did not come to an end", str(refusal), re.IGNORECASE):
            raise ClusterError(f"expected the cluster to say what it would install; helm says: {refusal}") from None
        raise
    return [*(manifest for manifest in seen if not is_hook(manifest)), *filter(is_hook, offline)]


def _is_object(manifest: object) -> bool:
    metadata = manifest.get("metadata") if isinstance(manifest, dict) else None
    return isinstance(manifest, dict) and "kind" in manifest and isinstance(metadata, dict) and "name" in metadata


def lint(chart: Path, *, values: Values) -> list[Finding]:
    """What `helm lint` finds; an empty list is a clean chart. Raises InputError when there is no chart."""
    if not (chart / "Chart.yaml").is_file():
        raise InputError(f"{chart}: expected a chart folder with a Chart.yaml, found none; give the chart's folder")
    return helm.available().lint(chart, values=values)


def install(chart: Path, *, release: str, target: Target, values: Values, timeout_s: float, wait: bool) -> Revision:
    """Install into an existing namespace. Hooks are always waited for; `wait` adds all other resources."""
    try:
        helm.available().install(chart, release=release, target=target, values=values, timeout_s=timeout_s, wait=wait)
    except HelmRefused as refusal:
        raise _blame(refusal, "install", release, target, chart, values) from None
    return _newest(release, target)


def upgrade(chart: Path, *, release: str, target: Target, values: Values, timeout_s: float, wait: bool) -> Revision:
    """Upgrade with exactly `values`; those of the revision before are not carried over."""
    try:
        helm.available().upgrade(chart, release=release, target=target, values=values, timeout_s=timeout_s, wait=wait)
    except HelmRefused as refusal:
        raise _blame(refusal, "upgrade", release, target, chart, values) from None
    return _newest(release, target)


def rollback(*, release: str, target: Target, revision: int | None = None, timeout_s: float, wait: bool) -> Revision:
    """Roll back to `revision`, or to the one before the current; the rollback is a revision of its own."""
    try:
        helm.available().rollback(release=release, target=target, revision=revision, timeout_s=timeout_s, wait=wait)
    except HelmRefused as refusal:
        raise _refused_or_failed(refusal, "roll back", release, target) from None
    return _newest(release, target)


def uninstall(*, release: str, target: Target, timeout_s: float, wait: bool) -> None:
    """Remove the release and its history; with `wait`, return when its resources are gone."""
    try:
        helm.available().uninstall(release=release, target=target, timeout_s=timeout_s, wait=wait)
    except HelmRefused as refusal:
        raise ClusterError(f"expected to uninstall {target.namespace}/{release}; helm says: {refusal}") from None


def history(*, release: str, target: Target) -> list[Revision]:
    """The release's revisions, oldest first. Raises ClusterError when there is no such release."""
    try:
        return helm.available().history(release=release, target=target)
    except HelmRefused as refusal:
        raise ClusterError(f"expected the history of {target.namespace}/{release}; helm says: {refusal}") from None


def patched(
    chart: Path,
    patch: Callable[[list[Manifest]], list[Manifest]],
    *,
    into: Path,
    release: str,
    namespace: str,
    values: Values,
    capabilities: Capabilities,
    upgrade: bool,
) -> Path:
    """A throw-away chart in the empty folder `into` that installs what `patch` makes of the rendered manifests.

    Its name, version, values and schema are the chart's, so it can be installed and upgraded to under the same
    release; but its manifests are fixed: other values than these change nothing. Hooks stay hooks.
    """
    rendered = render(
        chart, release=release, namespace=namespace, values=values, capabilities=capabilities, upgrade=upgrade
    )
    manifests = patch(rendered)
    (into / "manifests").mkdir(parents=True)
    (into / "templates").mkdir()
    metadata = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    metadata.pop("dependencies", None)  # their manifests are among the rendered ones
    (into / "Chart.yaml").write_text(yaml.safe_dump(metadata), encoding="utf-8")
    for name in ("values.yaml", "values.schema.json", "crds"):
        _copy(chart / name, into / name)
    for number, manifest in enumerate(manifests):
        name = f"{number:03}-{manifest['kind'].lower()}.yaml"
        (into / "manifests" / name).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        # Included as a file, for a manifest may hold braces that Helm would take for a template.
        (into / "templates" / name).write_text(f'{{{{ .Files.Get "manifests/{name}" }}}}\n', encoding="utf-8")
    return into


class _KubernetesYaml(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: a date is a string, 22:22 is a string, and 1e3 is a number."""


_INT = re.compile(r"[-+]?(0|[1-9][0-9_]*|0[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)$")
_FLOAT = re.compile(r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$")
_OURS = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

_KubernetesYaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OURS]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_KubernetesYaml.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_KubernetesYaml.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def _blame(
    refusal: HelmRefused, verb: str, release: str, target: Target, chart: Path, values: Values
) -> ClusterError | InputError:
    """Whose fault it was: the chart's or the values', if they do not even render; else the cluster's."""
    try:
        render(chart, release=release, namespace=target.namespace, values=values)
    except InputError as error:
        return error
    return _refused_or_failed(refusal, verb, release, target)


def _refused_or_failed(refusal: HelmRefused, verb: str, release: str, target: Target) -> ClusterError:
    said = f"expected to {verb} {target.namespace}/{release}; helm says: {refusal}"
    try:
        newest = _newest(release, target)
    except ClusterError:
        return ClusterError(said)
    return ReleaseFailed(said) if newest.status == "failed" else ClusterError(said)


def _newest(release: str, target: Target) -> Revision:
    return max(history(release=release, target=target), key=lambda revision: revision.revision)


def _copy(source: Path, destination: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, destination)
    elif source.exists():
        shutil.copy(source, destination)
