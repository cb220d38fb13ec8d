"""The Helm values that a chart knows, its subcharts' included, and a value at a dotted path.

A subchart's values lie below its name, or its alias, in those of the chart that has it; what that chart says there
goes first (Helm, "Subcharts and Global Values").
"""

from __future__ import annotations

import contextlib
import difflib
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from seatrial.documents import kind_of, read_yaml
from seatrial.errors import InputError, in_words
from seatrial.helm import Values


def known_values(chart: Path) -> dict[str, Any]:
    """The default values of a chart folder, with those of the subcharts that lie in its `charts/`, packed or not.

    Raises InputError for a file that is no YAML or holds no mapping.
    """
    names = _names_of_subcharts(chart)
    known: dict[str, Any] = {}
    for subchart in subcharts(chart):
        below = known_values(subchart)
        name = str(_mapping(subchart / "Chart.yaml").get("name", subchart.name))
        known.update(dict.fromkeys(names.get(name, [name]), below))
    return _over(known, _mapping(chart / "values.yaml"))


def value_at(values: Values, path: str) -> Any:
    """The value at a dotted path; `\\.` is a dot within a key. Raises InputError when there is none."""
    found: Any = values
    keys = _keys(path)
    for depth, key in enumerate(keys):
        if not isinstance(found, Mapping) or key not in found:
            raise InputError(_no_such_path(keys, depth, found, "the values"))
        found = found[key]
    return found


def in_force(chart: Path, values: Values, path: str) -> Any:
    """The value at a dotted path where `values` are laid over the chart's own; None where neither has one."""
    for layer in (values, known_values(chart)):
        with contextlib.suppress(InputError):
            return value_at(layer, path)
    return None


def with_value(chart: Path, values: Values, path: str, value: Any) -> dict[str, Any]:
    """A copy of `values` with `value` at the dotted path.

    The path must be one that the values of the chart or of its subcharts know, or lie below an empty map or null
    there: Helm would take any other without a word, and nothing would change. Raises InputError for such a path.
    """
    keys = _keys(path)
    known: Any = known_values(chart)
    if not known:
        file = chart / "values.yaml"
        raise InputError(f"{file}: expected a value at {path}, found none in it; write one with this path")
    for depth, key in enumerate(keys):
        if known is None or known == {}:
            break
        if not isinstance(known, Mapping) or key not in known:
            raise InputError(_no_such_path(keys, depth, known, f"{chart}/values.yaml"))
        known = known[key]
    return _laid_over(values, keys, value)


def unknown(chart: Path, values: Values) -> Iterator[str]:
    """What is wrong with each of these values that the chart and its subcharts do not have; Helm would pass it over.

    What lies below an empty map or null there is known, as `global` is. A list counts as a whole.
    """
    known = known_values(chart)
    where = f"{chart}/values.yaml"
    if not known:
        yield from (f"{where}: expected a value at {key}, found none in it; write one with this path" for key in values)
        return
    yield from _unknown(known, {key: value for key, value in values.items() if key != "global"}, [], where)


def _unknown(known: Any, values: Values, above: list[str], where: str) -> Iterator[str]:
    if known is None or known == {}:
        return
    for key, value in values.items():
        path = [*above, str(key)]
        if not isinstance(known, Mapping) or key not in known:
            yield _no_such_path(path, len(above), known, where)
        elif isinstance(value, Mapping):
            yield from _unknown(known[key], value, path, where)


def subcharts(chart: Path) -> Iterator[Path]:
    """The folders of the subcharts; a packed one is unpacked for as long as it is looked at.

    Raises InputError for a package that cannot be unpacked.
    """
    for entry in sorted((chart / "charts").glob("*")):
        if (entry / "Chart.yaml").is_file():
            yield entry
        elif entry.suffix == ".tgz":
            with TemporaryDirectory(prefix="seatrial-subchart-") as folder:
                try:
                    with tarfile.open(entry, "r:gz") as packed:
                        packed.extractall(folder, filter="data")
                except (tarfile.TarError, OSError) as broken:
                    raise InputError(
                        f"{entry}: expected a packed chart, found {in_words(broken)}; pack it again"
                    ) from None
                yield from (path for path in Path(folder).iterdir() if (path / "Chart.yaml").is_file())


def missing_subcharts(chart: Path) -> Iterator[tuple[Path, list[str]]]:
    """The chart, and each unpacked subchart, whose dependencies are not all in its `charts/`; with the missing names.

    Helm wants them there whatever their conditions say.
    """
    there = {str(_mapping(subchart / "Chart.yaml").get("name", subchart.name)) for subchart in subcharts(chart)}
    if missing := [name for name in _names_of_subcharts(chart) if name not in there]:
        yield chart, missing
    for subchart in subcharts(chart):
        if subchart.is_relative_to(chart):
            yield from missing_subcharts(subchart)


def _names_of_subcharts(chart: Path) -> dict[str, list[str]]:
    """Under which keys the values of each subchart lie, by the subchart's name: its aliases, where it has some."""
    names: dict[str, list[str]] = {}
    for dependency in _dependencies(chart):
        name = str(dependency["name"])
        names.setdefault(name, []).append(str(dependency.get("alias") or name))
    return names


def _dependencies(chart: Path) -> Iterator[Mapping[str, Any]]:
    """Those that a chart declares; in charts of Helm 2's form in a file of their own. Helm refuses others."""
    for file in ("Chart.yaml", "requirements.yaml"):
        declared = _mapping(chart / file).get("dependencies")
        for each in declared if isinstance(declared, list) else ():
            if isinstance(each, Mapping) and "name" in each:
                yield each


def _mapping(file: Path) -> dict[str, Any]:
    """What a YAML file holds; nothing where there is no such file."""
    found = (read_yaml(file, "the chart's values") or {}) if file.is_file() else {}
    if not isinstance(found, dict):
        raise InputError(f"{file}: expected a mapping, found {kind_of(found)}; mend the chart")
    return found


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Values laid over others as Helm does: mappings merge, everything else replaces."""
    result = dict(below)
    for key, value in above.items():
        before = result.get(key)
        result[key] = _over(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return result


def _keys(path: str) -> list[str]:
    return [key.replace("\\.", ".") for key in re.split(r"(?<!\\)\.", path)]


def _no_such_path(keys: Sequence[str], depth: int, found: Any, where: str) -> str:
    path, above = ".".join(keys), ".".join(keys[:depth]) or "the top"
    if not isinstance(found, Mapping):
        return f"{where}: expected a value at {path}, found that {above} is {found!r} and holds no keys; give {above}"
    near = difflib.get_close_matches(keys[depth], [str(key) for key in found], n=1) or sorted(map(str, found))
    nearest = ".".join([*keys[:depth], near[0]]) if near else above
    return f"{where}: expected a value at {path}, found nothing below {above}; the nearest is {nearest}"


def _laid_over(values: Values, keys: Sequence[str], value: Any) -> dict[str, Any]:
    first, *rest = keys
    if rest:
        below = values.get(first)
        value = _laid_over(below if isinstance(below, Mapping) else {}, rest, value)
    return {**values, first: value}
