"""An adapter of a user's own: a file that travels to the generators as text, is checked here and loaded there.

It may import what generators have, and nothing else, for its answers are read there. A mistake in it is its author's
to mend: it is refused with file and line before anything is deployed, and one that shows only when an answer is read
ends what is sent with the same, and says nothing about the service.
"""

from __future__ import annotations

import ast
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, cast

from seatrial.errors import INTERRUPTS, InputError
from seatrial.traffic.adapters.base import Adapter, Reader, Reply
from seatrial.traffic.plan import Source

_OF_GENERATORS = ("numpy", "orjson", "httptools")
_OF_SEATRIAL = ("seatrial.traffic", "seatrial.ledger", "seatrial.observation", "seatrial.errors")
_NEEDED = ("readers", "generates", "of", "exchange")
_failures: dict[Source, str] = {}


@cache
def loaded(source: Source) -> type[Adapter]:
    """The adapter's class. Raises InputError naming file and line where it does not load."""
    try:
        tree = ast.parse(source.text, source.file)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as broken:
        line = f", line {broken.lineno}" if isinstance(broken, SyntaxError) else ""
        raise InputError(
            f"{source.file}{line}: expected an adapter in Python, found {broken.args[0]}; mend the file"
        ) from None
    _refuse_imports(tree, source.file)
    module = types.ModuleType(f"seatrial_adapter_{len(sys.modules)}")
    sys.modules[module.__name__] = module  # dataclasses look up what their annotations name there
    try:
        exec(compile(tree, source.file, "exec"), module.__dict__)
    except INTERRUPTS:
        raise
    except BaseException as raised:  # noqa: BLE001 - whatever the user's program does wrong is told as that
        raise refusal(source, raised, "while it was loaded") from None
    return _class_in(module, source)


def _class_in(module: types.ModuleType, source: Source) -> type[Adapter]:
    adapter: Any = getattr(module, "Adapter", None)
    if not _is_class(adapter):
        raise InputError(f"{source.file}: expected a class Adapter, found none; write one (docs/contract.md)")
    if missing := [name for name in _NEEDED if not hasattr(adapter, name)]:
        raise InputError(
            f"{source.file}: expected an Adapter with {', '.join(_NEEDED)}, found none of the name {missing[0]}; add it"
        )
    readers = adapter.readers
    if not isinstance(readers, Mapping) or not all(
        isinstance(api, str) and api and callable(reader) for api, reader in readers.items()
    ):
        raise InputError(
            f"{source.file}: expected Adapter.readers to map the `api` of its exchanges to what makes a reader, "
            f"found {readers!r:.80}; correct it"
        )
    return cast(type[Adapter], adapter)


def _is_class(found: object) -> bool:
    return isinstance(found, type)


def _refuse_imports(tree: ast.AST, file: str) -> None:
    for line, name in _imports(tree):
        top = name.partition(".")[0]
        known = top in sys.stdlib_module_names or top in _OF_GENERATORS
        if not known and not any(f"{name}.".startswith(f"{part}.") for part in _OF_SEATRIAL):
            raise InputError(
                f"{file}, line {line}: expected imports that generators have (the standard library, "
                f"{', '.join((*_OF_GENERATORS, *_OF_SEATRIAL))}), found {name}; do without it"
            )


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What is imported anywhere in a module, with the line; what is imported relatively as a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." if node.level else str(node.module)
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "seatrial" else [module]
            yield from ((node.lineno, name) for name in names)


def reader_of(api: str, source: Source) -> Callable[[], Reader]:
    """What makes a reader for each answer. Raises InputError for an `api` that the adapter has none for."""
    readers = loaded(source).readers
    if api not in readers:
        raise InputError(
            f"{source.file}: expected exchanges whose `api` is one of {', '.join(readers)}, as Adapter.readers says, "
            f"found {api!r}; correct one of them"
        )
    return lambda: _Guarded(readers[api], source)


def failure(sources: set[Source]) -> str:
    """What went wrong when an answer was read by one of these adapters; "" where nothing did."""
    return next((_failures[source] for source in sources if source in _failures), "")


class _Guarded:
    """A user's reader, whose own mistakes are kept apart from those of the service."""

    def __init__(self, make: Callable[[], Reader], source: Source) -> None:
        self._source = source
        self._reader: Any = self._tried(make)

    def feed(self, body: bytes) -> int:
        events = self._tried(lambda: self._reader.feed(body))
        return events if self._is(int, "feed", events) else 0

    @property
    def needs_body(self) -> bool:
        return bool(self._tried(lambda: self._reader.needs_body))

    def reply(self, status: int, body: bytes) -> Reply:
        reply = self._tried(lambda: self._reader.reply(status, body))
        return reply if self._is(Reply, "reply", reply) else Reply("its adapter failed")

    def _tried(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except INTERRUPTS:
            raise
        except BaseException as raised:  # noqa: BLE001 - whatever the user's program does wrong is told as that
            _failures.setdefault(self._source, str(refusal(self._source, raised, "when an answer was read")))
            return None

    def _is(self, kind: type, method: str, found: object) -> bool:
        if not isinstance(found, kind):
            told = f"{self._source.file}: expected {method} to return {kind.__name__}, found {found!r:.80}; correct it"
            _failures.setdefault(self._source, told)
        return isinstance(found, kind)


def refusal(source: Source, raised: BaseException, when: str) -> InputError:
    """What a user's adapter raised, with the line of it that did."""
    lines = [frame.lineno for frame in traceback.extract_tb(raised.__traceback__) if frame.filename == source.file]
    line = f", line {lines[-1]}" if lines else ""
    said = " ".join(f"{type(raised).__name__}: {raised}".split()).removesuffix(":")
    return InputError(f"{source.file}{line}: expected an adapter that works, found {said:.200} {when}; mend the file")
