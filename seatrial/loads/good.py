"""Which requests of a load were good, and how the others failed. Pure.

A request is good when its answer is whole, 2xx and right; where nothing was expected of an answer, a whole 2xx answer
is good.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from seatrial.ledger import RIGHT, UNJUDGED, Ledger, Mask, Request

_WITH_REASON, _MOST_REASONS, _REST = "wrong answer: ", 10, "wrong answer, for other reasons"
_AT_ANY_TIME = ("reset", "eof", "timeout")


def good(ledger: Ledger) -> Mask:
    """Rows with a whole 2xx answer that is right, or of which nothing was expected; shape (n,)."""
    whole = (ledger.error == ledger.code("")) & (ledger.status >= 200) & (ledger.status < 300)
    return np.asarray(whole & ((ledger.correct == RIGHT) | (ledger.correct == UNJUDGED)), dtype=np.bool_)


def errors_by_kind(ledger: Ledger) -> Counter[str]:
    """How many rows are not good, by what was wrong: the error, the status, or a wrong answer.

    Of the wrong ones also why, as far as their API tells: the most frequent reasons, the others together.
    """
    kinds = Counter(failure(row) for row in ledger.select(~good(ledger)))
    reasons = [kind for kind, _ in kinds.most_common() if kind.startswith(_WITH_REASON)]
    for kind in reasons[_MOST_REASONS:]:
        kinds[_REST] += kinds.pop(kind)
    return kinds


def failure(row: Request) -> str:
    """What is wrong with a row that is not good; of what may happen at any time, also when it did."""
    if row.error in _AT_ANY_TIME:
        return f"{row.error} {_reached(row)}"
    if row.error:
        return row.error
    if not 200 <= row.status < 300:
        return f"status {row.status}"
    return f"{_WITH_REASON}{row.problem}" if row.problem else "wrong answer"


def _reached(row: Request) -> str:
    if math.isnan(row.connected_s):
        return "while connecting"
    return "before the first byte" if math.isnan(row.first_byte_s) else "in mid-answer"
