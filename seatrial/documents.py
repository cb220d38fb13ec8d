"""Files that people write, YAML above all: read, or refused with the file, the line and what to do."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from seatrial.errors import InputError


class UniqueKeys(yaml.SafeLoader):
    """Refuses a key given twice, of which plain YAML keeps the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[str, yaml.Mark] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if before := seen.get(key.value):
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value} twice, first in line {before.line + 1}", key.start_mark
                    )
                seen[key.value] = key.start_mark
        return super().construct_mapping(node, deep)


def kind_of(value: object) -> str:
    """What the author of a YAML or JSON file calls such a value."""
    if value is None:
        return "nothing"
    kinds = {bool: "true or false", dict: "a mapping", float: "a number", int: "a number", list: "a list", str: "text"}
    return kinds.get(type(value), "something else")


def as_written(value: object) -> str:
    """A value as it stands in such a file, of a long one the beginning."""
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else f"{value!r:.80}"


def read_text(file: Path, what: str) -> str:
    """The text of a UTF-8 file, which should be `what`, without a byte order mark. Raises InputError."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as refused:
        raise InputError(f"{file}: expected {what}, found {refused.strerror}; correct the path") from None
    except UnicodeDecodeError as broken:
        line = broken.object.count(b"\n", 0, broken.start) + 1
        raise InputError(
            f"{file}, line {line}: expected {what} in UTF-8, found the byte 0x{broken.object[broken.start]:02x}; "
            "save the file as UTF-8"
        ) from None


def yaml_mistake(broken: Exception) -> tuple[str, str]:
    """Where a YAML text is broken (`, line 3, column 1`; "" where that is not known), and what is wrong there."""
    if not isinstance(broken, yaml.MarkedYAMLError):
        return "", " ".join(str(broken).split())
    mark = broken.problem_mark or broken.context_mark
    said = " ".join(part for part in (broken.context, broken.problem) if part)
    return f", line {mark.line + 1}, column {mark.column + 1}" if mark else "", " ".join(said.split())


def read_yaml(file: Path, what: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """The one document in a file, which should be `what`; None where it is empty.

    Raises InputError for whatever cannot be read as one.
    """
    try:
        # The loader is a safe one, by its type.
        return yaml.load(read_text(file, what), loader)
    except (yaml.YAMLError, ValueError) as broken:  # ValueError: a date such as 2026-02-31
        where, found = yaml_mistake(broken)
        raise InputError(
            f"{file}{where}: expected {what} in YAML, found {found}; mend the {'line' if where else 'file'}"
        ) from None
    except RecursionError:
        raise InputError(
            f"{file}: expected {what} in YAML, found it nested too deep to be read; mend the file"
        ) from None
