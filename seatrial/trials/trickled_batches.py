"""The batches in which the requests of a trickle were answered, and which of them had to wait for another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from seatrial.ledger import Ints, Ledger

TOGETHER_WITHIN_S = 0.01  # answers of one batch, or within a quarter of the delay


@dataclass(frozen=True, slots=True)
class TrickledBatch:
    """The requests of a trickle that were answered together, by their places among the answered ones."""

    members: Ints
    first: int  # who was sent first
    last: int
    free: bool  # it came due when the batch before was answered


def trickled(answered: Ledger, delay_s: float) -> Iterator[TrickledBatch]:
    """The batches of a trickle's right answers: those that come together are of one batch."""
    order = np.lexsort((answered.ended_s, answered.group))
    group, sent_s, ended_s = answered.group[order], answered.sent_s[order], answered.ended_s[order]
    apart = (np.diff(group) != 0) | (np.diff(ended_s) > min(TOGETHER_WITHIN_S, delay_s / 4))
    starts = np.flatnonzero(np.append(True, apart)[: len(order)]).tolist()
    before_s = np.append(-np.inf, np.where(np.diff(group) != 0, -np.inf, ended_s[:-1]))
    for start, end in pairwise([*starts, len(order)]):
        first = start + int(np.argmin(sent_s[start:end]))
        last = start + int(np.argmax(sent_s[start:end]))
        free = bool(before_s[start] <= sent_s[first] + delay_s)
        yield TrickledBatch(order[start:end], int(order[first]), int(order[last]), free)


def batches_of_a_trickle(trickle: Ledger, delay_s: float) -> tuple[Ledger, Ledger]:
    """Who opened each batch, and who came last into each of two or more.

    Left out are those who opened one that came due while the batch before was still worked on: they may rightly have
    waited for that.
    """
    answered = trickle.select(trickle.right)
    opened, closed = np.zeros(len(answered), dtype=np.bool_), np.zeros(len(answered), dtype=np.bool_)
    for batch in trickled(answered, delay_s):
        opened[batch.first] = batch.free
        closed[batch.last] |= len(batch.members) > 1
    return answered.select(opened), answered.select(closed)


def behind_another(trickle: Ledger, delay_s: float) -> Ledger:
    """Those of a batch that came due while the batch before was still worked on.

    A machine without time lets batches queue, and nothing says for how long.
    """
    answered = trickle.select(trickle.right)
    behind = np.zeros(len(answered), dtype=np.bool_)
    for batch in trickled(answered, delay_s):
        behind[batch.members] = not batch.free
    return answered.select(behind)
