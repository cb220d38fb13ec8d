"""Whether a service answers the contract's own cases at all, before anything is done to it.

A contract whose cases are asked at a path that the service does not have says nothing about the service, and what
every trial would see is the contract's mistake. It is one only where a Ready pod answers every one of the first cases,
and goes on so for some ten seconds, with a status by which HTTP blames the request for what it is: another place,
another method, another body, no right to ask (RFC 9110, sections 15.4 to 15.6). Whatever else comes back is the
service's: no answer, a wrong one, a 5xx, or a refusal because of what the service is doing just then (408, 409, 413,
423 to 429).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection

from seatrial.contract import Api
from seatrial.ledger import Ledger, Request
from seatrial.traffic.plan import Exchange

ASKED_AGAIN = "asked-again"
AGAIN, AGAIN_TIMES = 3, 10  # requests, and how often they are sent, a second apart
TOLD = 120  # characters of an answer
REDIRECTS = (301, 302, 303, 307, 308)
# Of an API in the contract: the key that each status puts in doubt.
KEYS = {
    **dict.fromkeys((*REDIRECTS, 404, 410), "path"),
    **dict.fromkeys((405, 501), "method"),
    **dict.fromkeys((401, 403), "credentials"),
    **dict.fromkeys((400, 406, 415, 422), "cases"),
}


def is_mistaken(rows: Ledger, refusals: Collection[int]) -> bool:
    """Whether every one of these requests was answered as one that is none of the service's API.

    `refusals` are the statuses of declared refusals, which say nothing of that kind.
    """
    return bool(len(rows)) and all(
        not row.right and not row.error and row.status in KEYS and row.status not in refusals for row in rows
    )


def mistake(place: str, api: Api, exchanges: Collection[Exchange], rows: Ledger) -> str:
    """What the contract says wrongly, with what is expected beside what was found, and what to correct.

    `rows` are answers to `exchanges` for which `is_mistaken` holds; the API stands at `place` in the file.
    """
    status = Counter(rows.status.tolist()).most_common(1)[0][0]
    row = next(row for row in rows if row.status == status)
    asked = next(exchange for exchange in exchanges if exchange.case == row.case)
    right = next((case.described() for name, case in api.named_cases() if name == row.case), "a right answer")
    key = _key(api, status)
    found = f"{asked.method} {asked.path} answered {status}{_said(row)}"
    everything = f" and nothing better to {len(rows)} requests" if len(rows) > 1 else ""
    return f"{place}.{key}: expected {right} to case {row.case}, found that {found}{everything}; {_do(place, key)}"


def _key(api: Api, status: int) -> str:
    """Servers of models answer 404 for a model that they do not have, at paths that are the protocol's own."""
    key = KEYS[status]
    return "model" if key == "path" and status not in REDIRECTS and api.model and not api.path else key


def _said(row: Request) -> str:
    """The beginning of what came back, or where it leads."""
    if to := json.loads(row.headers or "{}").get("location", ""):
        return f" (to {to})"
    return f" ({' '.join(row.body.split())[:TOLD]})" if row.body.strip() else ""


def _do(place: str, key: str) -> str:
    if key == "credentials":
        return f"give {place}.credentials that the service accepts"
    if key == "cases":
        return f"correct the requests of {place}.cases, or {place}.headers"
    if key == "model":
        return f"correct {place}.model, or {place}.path"
    return f"correct {place}.{key}"
