"""Which requests a pod that was told to stop may not have read by then, for all that was seen of it.

A server takes connections and reads requests in turn, and hears SIGTERM in between. On a machine without time a turn
takes 100 ms and more: what was sent just before the signal is then read after it, and rightly refused. How long the
server took to get to a request is seen from the refusals of that moment: they need no work.
"""

from __future__ import annotations

import numpy as np

from seatrial.contract import Limits
from seatrial.ledger import Ledger, Mask
from seatrial.trials.pod_deletion import REQUESTS, PodDeletion, Round
from seatrial.trials.slots import surely_refused

SETTLED_S = 0.02  # what a server with time takes from a connect to reading a request, with a wide margin
TURNS = 2.0  # a request that waits for its connection to be taken waits for more turns than one on a kept connection
READ_S = 0.5  # what was sent longer before than this had been read, whatever the machine
REFUSALS_S = 0.3  # after the signal: the refusals that show how long the server takes


def connected(deletion: PodDeletion, round: Round, limits: Limits | None) -> Ledger:
    """The round's requests that got a connection to the victim and were not refused for a declared limit."""
    rows = deletion.ledger.in_group(round.index).to(round.victim).of(*REQUESTS)
    return rows.select(~np.isnan(rows.connected_s) & ~surely_refused(rows, limits))


def refused(rows: Ledger) -> Mask:
    """Which rows were answered whole, with an error status: shape (n,)."""
    found: Mask = (rows.error == rows.code("")) & (rows.status >= 400)
    return found


def heard_s(rows: Ledger, round: Round) -> float:
    """When the victim had been told to stop, at the latest: by its sign, or by its refusals.

    A log's line may be stamped late. `rows` are those of `connected`.
    """
    since_due = rows.select(refused(rows) & (rows.sent_s >= round.sigterm_due_s) & (rows.ended_s <= round.told_s))
    return min(round.told_s, float(since_due.first_byte_s.min(initial=np.inf)))


def refusals_begin_s(rows: Ledger, round: Round) -> tuple[float, float]:
    """When the first refusal of what came after the signal was there, and the longest that such a one had taken.

    What is refused later than those was read before, and given up. Infinite and 0 where nothing was refused.
    """
    told_s = heard_s(rows, round)
    then = rows.select(refused(rows) & (rows.sent_s >= told_s) & (rows.sent_s <= told_s + REFUSALS_S))
    if not len(then):
        return np.inf, 0.0
    first_s = float(then.first_byte_s.min())
    at_once = then.select(then.first_byte_s <= first_s + SETTLED_S)
    return first_s, float((at_once.first_byte_s - at_once.sent_s).max())


def unread_s(rows: Ledger, round: Round) -> float:
    """How long before it was told to stop a request may have been sent that the victim had not read by then."""
    _, took_s = refusals_begin_s(rows, round)
    return min(READ_S, max(SETTLED_S, TURNS * took_s))


def perhaps_unread(rows: Ledger, round: Round) -> Mask:
    """Which rows were refused and may have been read after the container was told: shape (n,).

    What was accepted and then broken off had been read, and so had what was answered with anything but an error. What
    was refused before SIGTERM was due was refused for something else, and what was refused long after the first that
    came after the signal was given up.
    """
    first_s, took_s = refusals_begin_s(rows, round)
    then = rows.ended_s >= min(round.sigterm_due_s, round.told_s)
    then &= rows.first_byte_s <= max(first_s, heard_s(rows, round)) + took_s + SETTLED_S
    found: Mask = refused(rows) & then & (rows.sent_s > heard_s(rows, round) - unread_s(rows, round))
    return found
