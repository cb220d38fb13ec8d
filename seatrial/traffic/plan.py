"""What a generator is asked to send: values that travel to it as JSON, but for what there is of each arrival.

All times are seconds on the run's clock. The ledger calls each load by its name. One attempt is one row: nothing
is retried, redirected or sent through a proxy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from seatrial.errors import InputError
from seatrial.ledger import Codes, Floats, Ints

ConnectionUse = Literal["new", "keep-alive", "pooled"]
Keep = Literal["wrong", "all"]
Comparator = Literal["subset", "equals", "contains", "any"]


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
    chosen one. `port_name` is the name of the Service's port, "" where it has none.
    """

    name: str
    namespace: str
    port_name: str
    api_url: str


Target = PodTarget | ServiceTarget | ChosenTarget


@dataclass(frozen=True, slots=True)
class Source:
    """A module that travels to the generator as text; `file` is its name in messages."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request has to prove itself by, until it is filled in where it is sent from.

    The header's value is `prefix` and what the key of a Secret in the release's namespace holds, or an environment
    variable of the runner. `api` names the contract's API in messages.
    """

    api: str
    header: str
    prefix: str
    secret: str = ""
    key: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and the answer that would be right.

    `api` names who reads the answer (seatrial.traffic.adapters): with one it has to be proper and whole to be right,
    and the events of a stream are timed; "": any JSON. The adapter of that name is in `source`, if it is none of the
    engine's. `comparator` says how the answer is held against `expect`:

    subset    its JSON contains `expect` (seatrial.traffic.answers has the rule), numbers within `tolerance`; where
              `expect` is None the answer is not judged
    equals    the generated text is `expect`
    contains  the generated text has `expect` in it
    any       it is proper and whole
    """

    case: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    expect: Any = None
    tolerance: float = 0.0
    api: str = ""
    comparator: Comparator = "subset"
    source: Source | None = None
    credentials: Credentials | None = None  # to be filled in (seatrial.trials.credentials) before it is sent


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


def _outside(picks: Sequence[int] | Ints | Codes, count: int) -> int | None:
    """A pick that is no index below count; None where all are."""
    found = np.asarray(picks)
    if not len(found):
        return None
    return next((int(one) for one in (found.max(), found.min()) if not 0 <= one < count), None)


def _need_exchanges(stream: str, exchanges: Sequence[Exchange]) -> None:
    if not exchanges:
        raise InputError(f"stream {stream}, exchanges: expected at least one, found none; give the requests to send")
