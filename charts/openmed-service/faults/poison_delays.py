"""What a failing text costs the others of its batch in time."""

from __future__ import annotations

import asyncio

from openmed_service.batcher import Member
from openmed_service.engine import MarkedToFail, Outcome
from openmed_service.server import Server
from planting import Fired, fault

PUT_BACK_FOR_S = 2.5


@fault("poison-neighbours-put-back", breaks={"B5"})
def poison_neighbours_put_back(server: Server, fired: Fired) -> None:
    """A text that fails hears of it at once; the others of its batch are right, and 2.5 s later."""
    batcher = server.service.batcher
    deliver = batcher.deliver

    def delivered(members: list[Member], outcomes: list[Outcome]) -> None:
        failed = [isinstance(outcome, MarkedToFail) for outcome in outcomes]
        if not any(failed) or len(members) == 1:
            deliver(members, outcomes)
            return
        for member, outcome, fails in zip(members, outcomes, failed, strict=True):
            if fails:
                deliver([member], [outcome])
            else:
                fired()
                asyncio.get_running_loop().call_later(PUT_BACK_FOR_S, deliver, [member], [outcome])

    batcher.deliver = delivered  # type: ignore[method-assign]
