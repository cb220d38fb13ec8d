"""The adapters that there are, found in this folder, and who reads the answers of an exchange."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache

from seatrial.errors import InputError
from seatrial.traffic import adapters
from seatrial.traffic.adapters import own
from seatrial.traffic.adapters.base import Adapter, Reader, Reply
from seatrial.traffic.plan import Source


@cache
def kinds() -> Mapping[str, type[Adapter]]:
    """The engine's own adapters, by what a contract calls them. Raises TypeError for two of one kind."""
    names = [file.name for file in pkgutil.iter_modules(adapters.__path__)]
    modules = [importlib.import_module(f"{adapters.__name__}.{name}") for name in names]
    # What is without a kind is the Protocol itself.
    found = [module.Adapter for module in modules if hasattr(getattr(module, "Adapter", None), "kind")]
    named = {adapter.kind: adapter for adapter in found}
    if len(named) < len(found):
        raise TypeError(f"expected adapters of a kind of their own, found {[adapter.kind for adapter in found]}")
    return named


def adapter_of(kind: str, source: Source | None = None) -> type[Adapter]:
    """The adapter of a kind, or that in `source`. Raises InputError where there is none, with the nearest kind."""
    if source is not None:
        return own.loaded(source)
    if kind not in kinds():
        near = get_close_matches(kind, kinds(), n=1)
        hint = f"did you mean {near[0]}?" if near else "or name a file of your own with `adapter`"
        raise InputError(f"kind: expected one of {', '.join(sorted(kinds()))}, found {kind!r}; {hint}")
    return kinds()[kind]


def reader_of(api: str, source: Source | None = None) -> Callable[[], Reader] | None:
    """What makes a reader for each answer; None for plain JSON, which needs none. Raises InputError."""
    if not api:
        return None
    if source is not None:
        return own.reader_of(api, source)
    if api not in _readers():
        raise InputError(f"exchange, api: expected one of {', '.join(sorted(_readers()))}, found {api!r}; correct it")
    return _readers()[api]


@cache
def _readers() -> Mapping[str, Callable[[], Reader]]:
    return {api: reader for adapter in kinds().values() for api, reader in adapter.readers.items()}


def read(api: str, status: int, body: bytes, source: Source | None = None) -> Reply:
    """What an answer says, all of which has come; `api` is that of its exchange, and names an adapter."""
    make = reader_of(api, source)
    if make is None:
        raise InputError("exchange, api: expected the name of one, found none; plain JSON has no reader")
    reader = make()
    reader.feed(body)
    return reader.reply(status, body)
