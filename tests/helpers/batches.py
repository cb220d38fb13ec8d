"""A contract that promises batching, and a made-up concurrent_load that batches served."""

import json

from seatrial.trials.concurrency import LONE, LOOP, ConcurrentLoad, Span
from tests.helpers.observations import METRICS, Counters, common, contract, row

BATCHING = {
    "max_size": {"value": "batch.max", "set": 8},
    "max_delay_ms": 20,
    "poison": {"request": {"text": "poison"}, "status": 500, "body": {"error": "internal"}},
}


def batching(**changed):
    """A contract that promises batching and metrics of it."""
    return contract(batching={**BATCHING, **changed}, metrics=METRICS)


def answer(number):
    """The body of the right answer to case `c{number}`."""
    return json.dumps({"answer": number})


def as_rows(given):
    """The rows of a ledger, to be changed."""
    names = (
        "load",
        "case",
        "target",
        "pod",
        "group",
        "scheduled_s",
        "sent_s",
        "ended_s",
        "status",
        "correct",
        "error",
    )
    return [{name: getattr(one, name) for name in names} for one in given]


def loop_rows(n=2016, cases=72):
    return [row(LOOP, 20 + i * 0.005, 0.08, case=f"c{i % cases}") for i in range(n)]


def alone(rows):
    """The same requests by one client."""
    return [{**one, "ended_s": one["sent_s"] + 0.005} for one in rows]


def concurrent_load(rows=None, *, loop=(8,) * 252, few=(4, 4), lone=(1,) * 12, runs=None, clients=16, extra=()):
    """Twelve lone requests, 2016 answers of sixteen clients over ten seconds, and a few more."""
    counters, scrapes = Counters(), []
    scrapes.append(counters.scrape(1))
    counters.count(*lone)
    scrapes.append(counters.scrape(11))
    counters.count(*loop, runs=runs)
    scrapes.append(counters.scrape(41))
    counters.count(*few)
    scrapes.append(counters.scrape(51))
    sent = [*(row(LONE, 2 + i * 0.5) for i in range(12)), *(loop_rows() if rows is None else rows), *extra]
    return ConcurrentLoad(
        **common(sent, scrapes=scrapes),
        pod="a",
        clients=clients,
        lone=Span(2, 10),
        loop=Span(12, 40),
        few=Span(42, 50),
    )
