"""What requests prove themselves by: read where they are sent from, into their headers, and kept nowhere."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from seatrial.contract import Contract
from seatrial.errors import ClusterError, InputError
from seatrial.traffic.plan import Connects, Credentials, Exchange, Load

Secret = Mapping[str, Any]


def signed(loads: Iterable[Load], value: Callable[[Credentials], str]) -> list[Load]:
    """The loads with the credentials of their requests in their headers; `value` finds each, once."""
    known = cache(value)
    return [
        load if isinstance(load, Connects) else replace(load, exchanges=proved(load.exchanges, known)) for load in loads
    ]


def proved(exchanges: Iterable[Exchange], value: Callable[[Credentials], str]) -> tuple[Exchange, ...]:
    """Requests with their credentials in their headers."""
    return tuple(
        replace(
            exchange,
            headers=(*exchange.headers, (asked.header, f"{asked.prefix}{value(asked)}")),
            credentials=None,
        )
        if (asked := exchange.credentials)
        else exchange
        for exchange in exchanges
    )


def missing_credentials(contract: Contract, manifests: Iterable[Mapping[str, Any]], release: str) -> Iterator[str]:
    """What is known to be missing before anything is deployed, the place in the contract first.

    A variable that is not set, and a Secret that the chart renders without the key. One that it does not render may
    come from elsewhere.
    """
    secrets = {manifest["metadata"]["name"]: manifest for manifest in manifests if manifest["kind"] == "Secret"}
    for place, api in contract.every_api().items():
        asked = api.credentials
        if asked is None:
            continue
        if asked.secret is None:
            try:
                of_environment(Credentials(place, asked.header, asked.prefix, environment=asked.environment))
            except InputError as missing:
                yield str(missing)
            continue
        name = asked.secret.name.format(release=release)
        rendered = secrets.get(name)
        keys = sorted({*(rendered or {}).get("data", ()), *(rendered or {}).get("stringData", ())})
        if rendered is not None and asked.secret.key not in keys:
            yield (
                f"{place}.credentials.secret.key: expected one of Secret {name}, which the chart renders with "
                f"{', '.join(keys) or 'none'}, found {asked.secret.key}; correct the key"
            )


def of_secret(asked: Credentials, name: str, secret: Secret | None) -> str:
    """What the key of a Secret holds, without white space around it; `secret` is None where there is none.

    Raises ClusterError, which never shows a value, where it holds nothing that a header can say.
    """
    where = f"{asked.api}.credentials.secret"
    if secret is None:
        raise ClusterError(
            f"{where}: expected a Secret named {name} in the release's namespace, found none; "
            "correct the name, or let the chart or a dependency bring it"
        )
    data = secret.get("data") or {}
    if asked.key not in data:
        found = ", ".join(sorted(data)) or "none"
        raise ClusterError(f"{where}: expected the key {asked.key} in Secret {name}, found {found}; correct the key")
    try:
        text = base64.b64decode(data[asked.key], validate=True).decode("ascii").strip()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    if not text.isprintable() or not text:
        raise ClusterError(
            f"{where}: expected one line of ASCII in the key {asked.key} of Secret {name}, found something else; "
            "store what the header is to say"
        )
    return text


def of_environment(asked: Credentials) -> str:
    """What the environment variable holds. Raises InputError where it is not named, or not set."""
    where = f"{asked.api}.credentials.environment"
    if not asked.environment:
        raise InputError(
            f"{where}: expected the name of an environment variable where no release is at hand, found only a Secret; "
            "add one beside it"
        )
    text = os.environ.get(asked.environment, "").strip()
    if not text or not text.isascii() or not text.isprintable():
        found = "it is not set" if not text else "something else"
        raise InputError(
            f"{where}: expected one line of ASCII in the environment variable {asked.environment}, found {found}; "
            "set it"
        )
    return text
