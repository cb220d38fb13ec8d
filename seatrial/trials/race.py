"""Batches that are closed by one request too many, at every moment of their wait: one just opened, one about to go.

Almost a batch is sent; some time later as many again and one more: the first of them fills the batch, and the others
are almost a batch themselves. So each moment takes no longer than the wait up to it. A batcher may look at its members
before it closes a batch, or let go of it when its time is up: what comes just then must not be one too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from seatrial.ledger import Ledger

SWEEP = "sweep"
IN_A_ROW = 4  # batches; then the last one goes when its time is up
STEP_S = 0.001
LEAST = 14
LONGEST_S = 10.0  # of a sweep: a slower service, or one with a longer wait, has steps that are wider
SLACK_S = 0.05  # until a batch whose time is up has gone
LEISURE = 1.2  # times what full batches take one after the other: a queue that fills up would refuse some
ROW = 1000  # groups of a row are numbered from a multiple of this


@dataclass(frozen=True, slots=True)
class Sweep:
    """When the batches of each row are closed, counted from their opening, and the pause after a row."""

    rows: tuple[tuple[float, ...], ...]
    pause_s: float

    @property
    def races(self) -> int:
        """How many batches are closed."""
        return sum(map(len, self.rows))

    def sent(self, size: int) -> tuple[list[float], list[int]]:
        """When each request is sent, and in which group: the one that opens a row, and one for each closing."""
        at_s, arrivals_s, groups = 0.0, [], []
        for number, row in enumerate(self.rows):
            arrivals_s += [at_s] * (size - 1)
            groups += [ROW * number] * (size - 1)
            for place, wait_s in enumerate(row, 1):
                at_s += wait_s
                arrivals_s += [at_s] * size
                groups += [ROW * number + place] * size
            at_s += self.pause_s
        return arrivals_s, groups


def planned(delay_s: float, full_s: float) -> Sweep:
    """Each millisecond of the wait, as far as there is time: a full batch takes full_s.

    The moments of a row are far apart, the latest last: a batch whose time is up before that ends the row.
    """
    work_s = LEISURE * (IN_A_ROW + 1) * full_s
    each_s = max(delay_s / 2 + (delay_s + SLACK_S) / IN_A_ROW, work_s / IN_A_ROW)
    count = max(LEAST, min(round(delay_s / STEP_S), int(LONGEST_S / each_s)))
    moments_s = [delay_s * (n + 0.5) / count for n in range(count)]
    rows = -(-count // IN_A_ROW)
    return Sweep(
        tuple(tuple(moments_s[row::rows]) for row in range(rows)),
        max(delay_s + SLACK_S, work_s - IN_A_ROW * delay_s / 2),
    )


def closed_after_s(sweep: Ledger) -> list[float]:
    """How long after its opening each batch of a sweep was sent what closes it, where all of them were answered."""
    groups = [sweep.in_group(group) for group in sorted(set(sweep.group.tolist()))]
    first_s = {int(rows.group[0]): float(rows.sent_s.min()) for rows in groups if rows.right.all()}
    return [at_s - first_s[group - 1] for group, at_s in first_s.items() if group % ROW and group - 1 in first_s]


def widest_gap_s(moments_s: Sequence[float], delay_s: float) -> float:
    """The longest part of the wait in which no batch was closed; the whole of it without any."""
    within = sorted(min(max(moment_s, 0.0), delay_s) for moment_s in moments_s)
    edges = [0.0, *within, delay_s]
    return max(after - before for before, after in pairwise(edges))
