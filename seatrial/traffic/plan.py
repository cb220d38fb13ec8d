"""What a generator is asked to send: values that travel to it as JSON, but for what there is of each arrival.

All times are seconds on the run's clock. The ledger calls each load by its name. One attempt is one row: nothing
is retried, redirected or sent through a proxy.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from seatrial.errors import InputError
from seatrial.observation import Codes, Floats, Ints

ConnectionUse = Literal["new", "keep-alive", "pooled"]
Keep = Literal["wrong", "all"]


@dataclass(frozen=True, slots=True)
class PodTarget:
    """A pod's own address; the ledger's `target` and `pod` are its name."""

    pod: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ServiceTarget:
    """An address behind which a proxy chooses the pod; a host name is resolved once, when the load starts.

    With `tls`, connections are encrypted, and the other side's certificate has to be one for `host` that the
    generator's machine trusts ($SSL_CERT_FILE names other authorities).
    """

    name: str
    host: str
    port: int
    tls: bool = False


@dataclass(frozen=True, slots=True)
class ChosenTarget:
    """A Service whose EndpointSlices the generator watches itself, at `api_url` (plain HTTP).

    Each new connection goes to one of the ready endpoints, drawn at random; to one of the serving ones if all
    are terminating, as kube-proxy does; and is refused at once if there is none. The ledger's `pod` is the
    chosen one. `port_name` is that of the Service's port; None is the only or first port.
    """

    name: str
    namespace: str
    port_name: str | None
    api_url: str


Target = PodTarget | ServiceTarget | ChosenTarget


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and the answer that would be right.

    `expect` is the JSON that the answer must contain (seatrial.traffic.answers has the rule), numbers within
    `tolerance`; None: the answer is not judged. `api` names who reads the answer (seatrial.traffic.adapters): with one
    it has to be proper and whole to be right, and the events of a stream are timed; "": any JSON.
    """

    case: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    expect: Any = None
    tolerance: float = 0.0
    api: str = ""


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """Requests at times drawn beforehand; none waits for another's answer.

    `picks` is the index of the exchange for each arrival, `groups` its number in the ledger; empty: all 0.
    With "keep-alive" the load has one connection: requests are serial on it, latency still counts from the
    schedule, and it is opened anew only after it was closed, which its number in the ledger shows. With "pooled" each
    request takes a connection that is idle, the one used last first, and opens one only where none is.
    """

    name: str
    target: Target
    exchanges: tuple[Exchange, ...]
    arrivals_s: Sequence[float] | Floats
    picks: Sequence[int] | Ints | Codes = ()
    groups: Sequence[int] | Ints = ()
    timeout_s: float = 60.0  # from the moment it was sent to the last byte
    connection: ConnectionUse = "new"
    body_pause_s: float | None = None  # half of the body at once, the rest after this
    keep: Keep = "wrong"  # bodies kept: 4 KiB of those that are not right, or 1 MiB of every one
    abandon_after_s: float | None = None  # the client drops the connection this long after sending
    connect_timeout_s: float | None = None  # from the moment it was sent until there is a connection
    first_byte_timeout_s: float | None = None  # and until the first byte of the answer

    def __post_init__(self) -> None:
        _need_exchanges(self.name, self.exchanges)
        for name in ("picks", "groups"):
            given = len(getattr(self, name))
            if given not in (0, len(self.arrivals_s)):
                raise InputError(
                    f"load {self.name}, {name}: expected one for each of {len(self.arrivals_s)} arrivals, "
                    f"found {given}; give as many, or none"
                )
        outside = _outside(self.picks, len(self.exchanges))
        if outside is not None:
            raise InputError(
                f"load {self.name}, picks: expected indices below {len(self.exchanges)}, "
                f"found {outside}; draw them from the exchanges given"
            )


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """`concurrency` clients, each sending its next request when it has the answer to the last.

    A client keeps its connection unless each request is to have a "new" one: a pool would give it the same again.
    Exchanges are drawn at random from `seed`. A row's scheduled time is the end of the client's previous one, and
    `pause_after_refusal_s` later if that was answered with other than 2xx: a client that is refused does not spin.
    """

    name: str
    target: Target
    exchanges: tuple[Exchange, ...]
    concurrency: int
    start_s: float
    end_s: float
    seed: int
    timeout_s: float = 60.0
    connection: ConnectionUse = "keep-alive"
    keep: Keep = "wrong"
    pause_after_refusal_s: float = 0.0
    connect_timeout_s: float | None = None
    first_byte_timeout_s: float | None = None

    def __post_init__(self) -> None:
        _need_exchanges(self.name, self.exchanges)


@dataclass(frozen=True, slots=True)
class Lone:
    """`count` requests one after the other, each `spacing_s` after the answer to the last; exchanges in turn."""

    name: str
    target: Target
    exchanges: tuple[Exchange, ...]
    start_s: float
    count: int
    spacing_s: float
    timeout_s: float = 60.0
    connection: ConnectionUse = "new"
    keep: Keep = "wrong"
    connect_timeout_s: float | None = None
    first_byte_timeout_s: float | None = None

    def __post_init__(self) -> None:
        _need_exchanges(self.name, self.exchanges)


@dataclass(frozen=True, slots=True)
class Connects:
    """TCP connections that are opened and closed without a byte; an opened one has status 0 and error ""."""

    name: str
    target: Target
    arrivals_s: Sequence[float] | Floats
    timeout_s: float = 5.0
    hold_s: float = 0.0  # how long an opened one is held, to see whether the other side resets it


@dataclass(frozen=True, slots=True)
class Poll:
    """A probe asked every `period_s`, and cases that set out at its first 2xx answer.

    The probes go on to `end_s`. The cases go to the same target, as load `cases_load`, in turn, `cases_count`
    of them `cases_period_s` apart.
    """

    name: str
    target: Target
    exchanges: tuple[Exchange, ...]  # the probe first, then the cases
    start_s: float
    end_s: float
    period_s: float
    timeout_s: float
    group: int = 0
    cases_load: str = "cases"
    cases_count: int = 0
    cases_period_s: float = 0.1
    cases_timeout_s: float = 60.0

    def __post_init__(self) -> None:
        _need_exchanges(self.name, self.exchanges)


Load = OpenLoop | ClosedLoop | Lone | Connects | Poll

_LOADS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in (OpenLoop, ClosedLoop, Lone, Connects, Poll)}
_TARGETS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in (PodTarget, ServiceTarget, ChosenTarget)}


# What there is of each arrival, and how it travels: ten million arrivals as JSON would take a gigabyte to read.
_EACH: Mapping[str, str] = {"arrivals_s": "<f8", "picks": "<i4", "groups": "<i8"}


def encode(loads: Sequence[Load]) -> bytes:
    """The loads: a line of JSON, and behind it the arrays of all loads, in the order in which they are named in it."""
    arrays: list[NDArray[Any]] = []
    line = orjson.dumps([_encoded(load, arrays) for load in loads])
    # The arrays begin on a multiple of 8 bytes, and so does each of them: a pick takes half of that.
    padded = line.ljust(-(-(len(line) + 1) // 8) * 8 - 1) + b"\n"
    return b"".join([padded, *(piece for array in arrays for piece in _bytes(array))])


def decode(data: bytes | bytearray) -> list[Load]:
    """The loads that `encode` wrote; their arrays are views of `data`."""
    end = data.find(b"\n")
    line, at = (data, len(data)) if end < 0 else (memoryview(data)[:end], end + 1)
    loads = []
    for entry in orjson.loads(line):
        for name, dtype in _EACH.items():
            if name in entry:
                count = entry[name]
                entry[name] = np.frombuffer(data, dtype, count, at) if count else ()
                at += -(-np.dtype(dtype).itemsize * count // 8) * 8
        loads.append(_decoded(entry))
    return loads


def _bytes(array: NDArray[Any]) -> tuple[memoryview | bytes, bytes]:
    """An array's own bytes, and what is missing to a multiple of 8 of them."""
    data = np.ascontiguousarray(array).data.cast("B") if len(array) else b""
    return data, b"\0" * (-len(data) % 8)


def _encoded(load: Load, arrays: list[NDArray[Any]]) -> dict[str, Any]:
    entry = _shallow(load)
    entry["target"] = _shallow(load.target)
    for name, dtype in _EACH.items():
        if name in entry:
            array = np.asarray(entry[name], dtype)
            entry[name] = len(array)
            arrays.append(array)
    if not isinstance(load, Connects):
        entry["exchanges"] = [
            {**_shallow(exchange), "body": base64.b64encode(exchange.body).decode()} for exchange in load.exchanges
        ]
    return entry


def _shallow(value: Any) -> dict[str, Any]:
    entry = {field.name: getattr(value, field.name) for field in fields(value)}
    return {"kind": type(value).__name__, **entry}


def _decoded(entry: dict[str, Any]) -> Load:
    entry["target"] = _built(_TARGETS, entry["target"])
    if "exchanges" in entry:
        entry["exchanges"] = tuple(_exchange(exchange) for exchange in entry["exchanges"])
    load: Load = _built(_LOADS, entry)
    return load


def _exchange(entry: dict[str, Any]) -> Exchange:
    entry.pop("kind")
    entry["body"] = base64.b64decode(entry["body"])
    entry["headers"] = tuple((name, value) for name, value in entry["headers"])
    return Exchange(**entry)


def _built(kinds: Mapping[str, type[Any]], entry: dict[str, Any]) -> Any:
    kind = kinds[entry.pop("kind")]
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()})


def _outside(picks: Sequence[int] | Ints | Codes, count: int) -> int | None:
    """A pick that is no index below count; None where all are."""
    found = np.asarray(picks)
    if not len(found):
        return None
    return next((int(one) for one in (found.max(), found.min()) if not 0 <= one < count), None)


def _need_exchanges(stream: str, exchanges: Sequence[Exchange]) -> None:
    if not exchanges:
        raise InputError(f"stream {stream}, exchanges: expected at least one, found none; give the requests to send")
