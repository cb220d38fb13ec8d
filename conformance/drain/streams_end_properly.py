"""A pod that is told to stop tells every stream that is under way to its proper end.

Source: Kubernetes, "Pod Lifecycle", termination of pods; contract `streaming` of an API.
A stream at the victim's own address is under way if it had brought an event before SIGTERM. For a pass, enough of them
had events due for a while after it: how long a stream takes is known from one that nobody disturbed.
"""

import numpy as np

from seatrial.contract import Streaming, StreamingApi
from seatrial.ledger import Ledger, Request
from seatrial.stats.proportions import zero_event_bound
from seatrial.suite import check
from seatrial.trials.pod_deletion import NO_STREAM, STREAM, PodDeletion, Round
from seatrial.trials.streams import Ending, ending
from seatrial.trials.undisturbed import UNDISTURBED_STREAM
from seatrial.trials.workload import long_stream
from seatrial.verdict import Ground, Measurement, Verdict, inconclusive

DUE_S = 2.5  # of a stream, still to come at SIGTERM
WANTED = 8
PROPER = {"complete": {"whole"}, "error": {"whole", "told"}}


@check("D2", level="MUST", ablation=NO_STREAM)
def drain_streams_end_properly(streamed: StreamingApi, deletion: PodDeletion) -> Verdict:
    asked, streaming, rounds = long_stream(streamed), streamed.streaming, deletion.loaded()
    if asked is None:
        return inconclusive(
            "a long case of the API that streams", f"none in {streamed.place}", "declare one of 4 s or more"
        )
    alone = next(iter(deletion.ledger.of(UNDISTURBED_STREAM)), None)
    under_way = _all(deletion, [_under_way(deletion, round) for round in rounds])
    ends = {row.row: ending(row, asked, streaming) for row in under_way}
    improper = [row for row, end in ends.items() if end not in PROPER[streaming.on_drain]]
    spent = [row for round in rounds for row in deletion.over_budget(round).row.tolist()]
    cut = under_way.select(np.isin(under_way.row, improper) & ~np.isin(under_way.row, spent))
    if len(cut):
        first = next(iter(cut))
        told_s = next(round.told_s for round in rounds if round.index == first.group)
        return Ground(n=len(under_way)).failed(
            f"{len(under_way)} streams that go on to {_proper_end(streaming)}, and then to the end of the HTTP message",
            f"{len(cut)} did not, the first ended {first.ended_s - told_s:.2f} s after SIGTERM, "
            f"{_how(first, ends[first.row], alone)}",
            "on SIGTERM let open streams go on for as long as the drain budget, and end them as any other",
            rows=cut,
        )
    if alone is None or not alone.right:
        return Ground(n=len(under_way)).inconclusive(
            "a stream that nobody disturbs, told to its proper end",
            "none sent" if alone is None else ending(alone, asked, streaming),
            "see that streams work before any pod is told to stop",
        )
    length_s = alone.ended_s - alone.sent_s
    due = _all(deletion, [_with_enough_to_come(_under_way(deletion, round), round, length_s) for round in rounds])
    n = len(due)
    ground = Ground(n=n)
    if n < WANTED:
        return ground.inconclusive(
            f"{WANTED} streams with an event before SIGTERM and {DUE_S:g} s still to come",
            f"{n} over {len(rounds)} rounds, of {length_s:.2f} s each",
            f"give the long case {DUE_S + 1.5:g} s or more; its first event has to come within 0.3 s",
        )
    if improper:
        return ground.inconclusive(
            "streams that fit into the drain budget",
            f"{len(improper)} cut when the whole budget was spent",
            "give the cluster more cores: the same streams fit undisturbed",
            rows=under_way.select(np.isin(under_way.row, improper)),
        )
    bound = zero_event_bound(n)
    measured = [Measurement("streams cut", 0, n=n, low=0.0, high=bound, confidence=0.95, limit="= 0")]
    return ground.with_(measurements=measured).passed(
        f"{WANTED} or more streams under way at SIGTERM, all of which go on to {_proper_end(streaming)}",
        f"{n} of {n}, of {alone.events} events each",
        detects=f"a loss of {bound:.0%} of the streams under way, at 95% confidence",
    )


def _proper_end(streaming: Streaming) -> str:
    return "their declared end" if streaming.on_drain == "complete" else "their end, or an error told in the stream"


def _how(row: Request, end: Ending, alone: Request | None) -> str:
    """How a stream ended, next to one that nobody disturbed."""
    of_all = f" of {alone.events}" if alone and alone.right else ""
    neither = "; one that nobody disturbed was not right either" if alone and not alone.right else ""
    return f"after {row.events}{of_all} events: {end}{f' ({row.error})' if row.error else ''}{neither}"


def _all(deletion: PodDeletion, parts: list[Ledger]) -> Ledger:
    """The rows of each round, selected from the trial's ledger so that they keep their numbers."""
    return deletion.ledger.select(np.isin(deletion.ledger.row, [row for part in parts for row in part.row.tolist()]))


def _under_way(deletion: PodDeletion, round: Round) -> Ledger:
    """The streams of a round that were open, and had brought an event, before the victim was told to stop."""
    streams = deletion.ledger.in_group(round.index).to(round.victim).of(STREAM)
    # What broke between SIGTERM's due time and the log's sign of it broke by the drain.
    due_s = min(round.sigterm_due_s, round.told_s)
    open_then = (streams.sent_s < due_s) & ~(streams.ended_s <= due_s)
    first_s = np.full(len(streams), np.inf)
    some = streams.events > 0
    first_s[some] = streams.event_s[streams.first_event[some]]
    return streams.select(open_then & (first_s < due_s))


def _with_enough_to_come(streams: Ledger, round: Round, length_s: float) -> Ledger:
    """Those that had DUE_S to come when the victim was told to stop."""
    return streams.select(length_s - (round.told_s - streams.sent_s) >= DUE_S)
