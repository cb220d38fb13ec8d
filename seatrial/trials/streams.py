"""How the streams of a ledger ended. Pure."""

from __future__ import annotations

from typing import Literal

from seatrial.contract import Streaming
from seatrial.ledger import Request
from seatrial.traffic.adapters.apis import read
from seatrial.traffic.plan import Exchange
from seatrial.traffic.reading import NO_HTTP_END

Ending = Literal["whole", "wrong", "told", "without its end", "without usage", "cut", "refused"]


def ending(row: Request, exchange: Exchange, streaming: Streaming) -> Ending:
    """How one stream ended, the first of these that is so; its body has to be in the row (`keep="all"`).

    refused          no 2xx status: it is no stream
    cut              the HTTP message did not end: a reset, the end of the connection, or our own timeout
    told             the server said in the stream that it failed, and ended the message
    without its end  the message ended, but the stream in it did not: no end mark, or a choice without finish_reason
    without usage    promised, and the server told no tokens
    wrong            another text than expected
    whole            none of these
    """
    if row.status and not 200 <= row.status < 300:
        return "refused"
    if row.error or not row.status or row.problem.startswith(NO_HTTP_END):
        return "cut"
    reply = read(exchange.api, row.status, row.body.encode(), exchange.source)
    if reply.problem:
        return "told" if reply.says_failed else "without its end"
    if streaming.usage and not reply.reported:
        return "without usage"
    return "whole" if row.correct else "wrong"
