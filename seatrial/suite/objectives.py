"""A scenario's objectives as verdicts of a run record.

A load is judged like a chart: the generator first. Of a load that was not sent as the scenario states, no objective is
judged; where nothing good was seen, or nothing was asked for, the run is not held either.
"""

from __future__ import annotations

from seatrial.loads.answers import HELD, MISSED, Answer
from seatrial.loads.locust_run import Recorded
from seatrial.loads.scenario import Scenario
from seatrial.loads.schedule import arrivals_kept
from seatrial.loads.stage_rows import opened
from seatrial.loads.summary import Report, summarise
from seatrial.record import VerdictEntry
from seatrial.record.loads import SENT, SUPPORT
from seatrial.verdict import Verdict, failed, inconclusive, passed

_SENT_TITLE = "The load was sent as the scenario states, and all of it recorded."
_SUPPORT_TITLE = "There are objectives, and good answers to hold them on."


def reported(scenario: Scenario, recorded: Recorded) -> Report:
    """What a run of a scenario showed. Raises InputError for a ledger that is none."""
    # Of a part of the schedule, the law of the whole says nothing.
    part = recorded.stopped or recorded.lost
    with opened(recorded.ledgers) as rows:
        kept = {} if part else arrivals_kept(scenario, rows, recorded.start_s)
        return summarise(
            scenario, rows, recorded.health, recorded.stopped, kept, recorded.lost, max(1, len(recorded.workers))
        )


def entries(scenario: Scenario, report: Report) -> list[VerdictEntry]:
    """The load itself, what keeps it from being held, and each objective of each stage; all MUST.

    They come to the exit status of the report. An objective's `trials` is its stage.
    """
    scheduled = sum(stage.scheduled for stage in report.stages)
    found = [VerdictEntry(SENT, "MUST", _SENT_TITLE, _sent(report, scheduled), promise="stages")]
    if report.unsupported:
        found.append(VerdictEntry(SUPPORT, "MUST", _SUPPORT_TITLE, _unsupported(report, scheduled), promise="slos"))
    own = {stage.name for stage in scenario.stages if stage.slos is not None}
    for answer in report.answers:
        promise = f"stages.{answer.stage}.slos.{answer.key}" if answer.stage in own else f"slos.{answer.key}"
        verdict = _judged(answer, report.invalid)
        found.append(
            VerdictEntry(
                f"{answer.stage}.{answer.key}", "MUST", answer.objective, verdict, (answer.stage,), promise=promise
            )
        )
    return found


def _sent(report: Report, scheduled: int) -> Verdict:
    expected = "every request sent and recorded, in time, by its law"
    if report.invalid:
        return inconclusive(
            expected, "; ".join(report.invalid), "mend what kept the generator, and send the load again", n=scheduled
        )
    return passed(expected, f"{scheduled} requests in {len(report.stages)} stages", n=scheduled)


def _unsupported(report: Report, scheduled: int) -> Verdict:
    return inconclusive(
        "one objective or more, and a good answer or more in every stage", "; ".join(report.unsupported),
        "give the scenario objectives, and requests that the service takes", n=scheduled,
    )  # fmt: skip


def _judged(answer: Answer, invalid: tuple[str, ...]) -> Verdict:
    n, measurements = (answer.share.n, [answer.share]) if answer.share else (0, [])
    if invalid:
        return inconclusive(
            f"{answer.objective}, under a load that was sent as stated", f"{answer.found}; {invalid[0]}",
            "send the load again", n=n, measurements=measurements, blocked_by=SENT,
        )  # fmt: skip
    if answer.outcome == HELD:
        return passed(answer.objective, answer.found, n=n, measurements=measurements)
    if answer.outcome == MISSED:
        return failed(
            answer.objective, answer.found, "see which requests went against it in the ledger of the run, and why",
            n=n, measurements=measurements,
        )  # fmt: skip
    return inconclusive(answer.objective, answer.found, _longer(answer), n=n, measurements=measurements)


def _longer(answer: Answer) -> str:
    """A higher rate would ask another question: it may be more than the service takes."""
    if answer.needed is None and answer.requests:
        return "take a limit that is further from what was seen; no length of the stage decides this one"
    return f"make the stage {answer.needed / answer.requests:.1f} times as long" if answer.needed else "make it longer"
