"""The requests of a contract's APIs, written by their adapters, and what each answer must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from seatrial.contract import Answer, Api, Contract, Json
from seatrial.contract.base import with_texts
from seatrial.errors import INTERRUPTS, InputError
from seatrial.traffic.adapters import own
from seatrial.traffic.adapters.apis import adapter_of, reader_of
from seatrial.traffic.adapters.base import Adapter, Settings
from seatrial.traffic.plan import Credentials, Exchange, Source

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asking:
    """One API of a contract, and who writes its requests. `place` is where it stands in the file."""

    place: str
    api: Api
    adapter: Adapter
    source: Source | None  # of an adapter that is not the engine's

    def cases(self) -> tuple[Exchange, ...]:
        """Every case, in the contract's order. Raises InputError as `exchange`."""
        return tuple(self.exchange("cases", name, case.request, case) for name, case in self.api.named_cases())

    def large_case(self) -> Exchange | None:
        """The large case in full; None where there is none. Raises InputError as `exchange`."""
        if self.api.large is None:
            return None
        large = self.api.large.in_full()
        return self.exchange("large", "large", large.request, large)

    def long_case(self, seconds: float) -> Exchange:
        """The long case at a chosen length. Raises InputError when there is none, and as `exchange`."""
        long = self.api.long
        if long is None:
            raise InputError(
                f"contract, {self.place}.long: expected a long case for this trial, found none; declare one"
            )
        request, right = (_filled(template, seconds) for template in (long.request, long.right))
        return self._written("long", f"long-{seconds:g}", request, right, long)

    def exchange(self, key: str, case: str, request: Json, answer: Answer) -> Exchange:
        """A request, and the answer that would be right.

        Raises InputError, the place in the file first, for what the API cannot say.
        """
        return self._written(key, case, request, answer.right, answer)

    def unjudged(self, case: str, request: Json) -> Exchange:
        """A request whose answer is kept and not read. Raises InputError for what the API cannot say."""
        exchange = self._by_adapter(self.place, case, request, None)
        return replace(exchange, api="", source=None)

    def _written(self, key: str, case: str, request: Json, right: Json, answer: Answer) -> Exchange:
        where, comparator = f"{self.place}.{key}", answer.comparator
        if comparator in ("equals", "contains") and not self.adapter.generates:
            raise InputError(
                f"{where}, case {case}: expected `expect` or `any` of an API that generates no text, "
                f"found `{comparator}`; give the JSON that a right answer contains"
            )
        exchange = self._by_adapter(where, case, request, right)
        # Where plain JSON has nothing to be held against, somebody has to see that it is whole.
        api = exchange.api or ("" if comparator == "subset" else next(iter(self.adapter.readers)))
        reader_of(api, self.source)
        return replace(exchange, api=api, source=self.source if api else None, comparator=comparator)

    def _by_adapter(self, where: str, case: str, request: Json, right: Json) -> Exchange:
        exchange: object = _told(
            f"{where}, ", self.source, lambda: self.adapter.exchange(case, request, right, self.api.tolerance)
        )
        if not isinstance(exchange, Exchange):
            raise InputError(
                f"{where}, case {case}: expected its adapter to write an Exchange, found {exchange!r:.80}; correct it"
            )
        return replace(exchange, credentials=_credentials(self.place, self.api))


def asking(contract: Contract, name: str = "") -> Asking:
    """The API of this name, or the default one.

    Raises InputError, the place in the file first, for an API that is not there, a kind that there is none of, an
    adapter that does not load, and settings that its adapter cannot say.
    """
    return asked_as(contract.place_of(name), contract.api(name))


def asked_as(place: str, api: Api) -> Asking:
    """An API that stands at this place of the file. Raises InputError as `asking`, but for one that is not there."""
    source = Source(api.adapter.file, api.adapter.text) if api.adapter else None
    if source is not None:
        try:
            own.loaded(source)
        except InputError as broken:
            raise InputError(f"{place}.adapter: expected an adapter that loads, found: {broken}") from None
    settings = Settings(api.path, api.method, api.headers, api.model, api.streaming is not None, api.parameters)
    return Asking(place, api, _told(f"{place}.", source, lambda: adapter_of(api.kind, source).of(settings)), source)


def refuse_unaskable(contract: Contract, file: Path) -> None:
    """Raises InputError, the file first, where a request of the contract cannot be written."""
    for name in contract.apis or ("",):
        try:
            asked = asking(contract, name)
            asked.cases()
            asked.large_case()
            if asked.api.long is not None:
                asked.long_case(asked.api.long.seconds)
        except InputError as refused:
            raise InputError(f"{file}, {refused}") from None


def _told(where: str, source: Source | None, write: Callable[[], T]) -> T:
    """What `write` returns; what is wrong is told with its place, and a user's own mistake with its line."""
    try:
        return write()
    except InputError as refused:
        raise InputError(f"{where}{refused}") from None
    except INTERRUPTS:
        raise
    except BaseException as raised:
        if source is None:
            raise
        raise InputError(f"{where}{own.refusal(source, raised, 'when it was to write a request')}") from None


def _credentials(place: str, api: Api) -> Credentials | None:
    given = api.credentials
    if given is None:
        return None
    name, key = (given.secret.name, given.secret.key) if given.secret else ("", "")
    return Credentials(place, given.header, given.prefix, name, key, given.environment)


def _filled(template: Json, seconds: float) -> Json:
    return with_texts(template, lambda text: text.replace("{seconds}", f"{seconds:g}"))
