"""Which requests of a load were good, and how the others failed. Pure.

A request is good when its answer is whole, 2xx and right; where nothing was expected of an answer, a whole 2xx answer
is good.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from seatrial.ledger import RIGHT, UNJUDGED, Mask, Request
from seatrial.loads.pieces import Columns
from seatrial.loads.stage_rows import StageRows

_WITH_REASON, _MOST_REASONS, _REST = "wrong answer: ", 10, "wrong answer, for other reasons"
_AT_ANY_TIME = ("reset", "eof", "timeout")


def good(rows: Columns) -> Mask:
    """Rows with a whole 2xx answer that is right, or of which nothing was expected; shape (n,)."""
    whole = (rows.error == rows.code("")) & (rows.status >= 200) & (rows.status < 300)
    return np.asarray(whole & ((rows.correct == RIGHT) | (rows.correct == UNJUDGED)), dtype=np.bool_)


def errors_by_kind(rows: StageRows) -> Counter[str]:
    """How many rows are not good, by what was wrong: the error, the status, or a wrong answer.

    Of the wrong ones also why, as far as their API tells: the most frequent reasons, the others together.
    """
    counts: Counter[str] = Counter()
    firsts: dict[str, int] = {}
    for piece, places in rows.placed():
        for kind, its in _failures(piece):
            counts[kind] += len(its)
            firsts[kind] = min(firsts.get(kind, len(rows)), int(places[its].min()))
    # Of reasons that are equally frequent, those that came up first.
    kinds = Counter({kind: counts[kind] for kind in sorted(counts, key=lambda kind: firsts[kind])})
    reasons = [kind for kind, _ in kinds.most_common() if kind.startswith(_WITH_REASON)]
    for kind in reasons[_MOST_REASONS:]:
        kinds[_REST] += kinds.pop(kind)
    return kinds


def failure(row: Request) -> str:
    """What is wrong with a row that is not good; of what may happen at any time, also when it did."""
    return _failure(row.error, row.status, row.problem, math.isnan(row.connected_s), math.isnan(row.first_byte_s))


def _failures(rows: Columns) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """As `failure` has it of rows that are not good, and which these are; a kind may come up more than once."""
    bad = np.flatnonzero(~good(rows))
    if not len(bad):
        return
    columns = (rows.error, rows.status, rows.problem, np.isnan(rows.connected_s), np.isnan(rows.first_byte_s))
    alike, of = np.unique(np.stack([column[bad] for column in columns], axis=1), axis=0, return_inverse=True)
    of = of.reshape(-1)  # NumPy 2.0.0 gives it two dimensions
    for number, (error, status, problem, connecting, waiting) in enumerate(alike.tolist()):
        kind = _failure(rows.strings[error], status, rows.strings[problem], bool(connecting), bool(waiting))
        yield kind, bad[of == number]


def _failure(error: str, status: int, problem: str, connecting: bool, waiting: bool) -> str:
    """`connecting`: there was no connection yet; `waiting`: no first byte."""
    if error in _AT_ANY_TIME:
        return (
            f"{error} {'while connecting' if connecting else 'before the first byte' if waiting else 'in mid-answer'}"
        )
    if error:
        return error
    if not 200 <= status < 300:
        return f"status {status}"
    return f"{_WITH_REASON}{problem}" if problem else "wrong answer"
