"""The requests of a load that are the cases of a contract, as trials send them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from seatrial.contract import FILE, read_contract
from seatrial.errors import InputError
from seatrial.traffic.plan import Exchange
from seatrial.trials.asking import asking
from seatrial.trials.credentials import of_environment, proved


def cases_of(path: Path, api: str = "") -> tuple[Exchange, ...]:
    """Every case of one of a contract's APIs, the default one where none is named; `path` as in `read_contract`.

    Credentials come from the environment: a load has no release whose Secrets it could read. Raises InputError, the
    file first, for a contract or an API that cannot be asked, and for credentials that are not there.
    """
    contract = read_contract(path)
    file = path / FILE if path.is_dir() else path
    try:
        return proved(asking(contract, api).cases(), cache(of_environment))
    except InputError as refused:
        raise InputError(f"{file}, {refused}") from None
