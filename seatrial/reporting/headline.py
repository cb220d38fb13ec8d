"""What a run comes to, in a word and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seatrial.record import Damage, RunRecord, Summary, VerdictEntry
from seatrial.record.loads import SENT, SUPPORT, recorded_so_far
from seatrial.record.summary import FEWEST_APPLICABLE_MUSTS
from seatrial.reporting.text import plural
from seatrial.verdict import Outcome

NO_END = "The run did not come to its end."


@dataclass(frozen=True, slots=True)
class Headline:
    """`tone` is an outcome's word, for colours."""

    word: str
    sentence: str
    tone: Outcome


def refused(reason: str) -> Headline:
    """Of a run that ended before anything was judged, for what it was told; the reason begins with a file's name."""
    return Headline("Refused", _as_sentence(reason, capital=False), Outcome.ERROR)


def unfinished(reason: str) -> Headline:
    """Of a run that was stopped before there was a record of it."""
    return Headline("Unfinished", f"{_did_not_end(reason)} Nothing was judged.", Outcome.ERROR)


def under_way() -> Headline:
    """Of a run that has only begun."""
    return Headline(
        "Unfinished", "The run is under way, or it was killed: this page is replaced when it ends.", Outcome.ERROR
    )


def headline(
    record: RunRecord, entries: Sequence[VerdictEntry], summary: Summary, damage: Sequence[Damage]
) -> Headline:
    """Damage, and a run that was refused or cut short, go before any verdict."""
    if damage:
        files = plural(len(damage), "file")
        return Headline("Evidence damaged", f"{files} of the record changed since it was recorded.", Outcome.ERROR)
    if record.state.status == "refused":
        return refused(record.state.reason)
    if not record.is_whole:
        return Headline("Unfinished", f"{_why_unfinished(record)} {_so_far(record, entries)}", Outcome.ERROR)
    if record.header.kind == "load":
        return _of_load(entries)
    musts = plural(summary.applicable_musts, "applicable MUST check")
    if failed := _ids(entries, Outcome.FAIL):
        return Headline("Not certified", f"{len(failed)} of {musts} failed: {', '.join(failed)}.", Outcome.FAIL)
    if open_ids := _ids(entries, Outcome.INCONCLUSIVE, Outcome.ERROR):
        return Headline(
            "Not certified", f"Could not judge {len(open_ids)} of {musts}: {', '.join(open_ids)}.", Outcome.INCONCLUSIVE
        )
    if summary.exit_status != 0:
        return Headline("Not certified", "No MUST check was judged.", Outcome.INCONCLUSIVE)
    if not summary.certified:
        return Headline(
            "Passed, not certified",
            f"All of {musts} held; a certificate needs {FEWEST_APPLICABLE_MUSTS}.",
            Outcome.INCONCLUSIVE,
        )
    word = "Certified" if record.header.certificate == "certified" else "Preflight passed"
    return Headline(word, f"All of {musts} held on {record.header.cluster}.", Outcome.PASS)


def _why_unfinished(record: RunRecord) -> str:
    if record.state.status == "running":
        return "The run is under way, or it was killed."
    if record.state.status == "finished":
        return "The run ended without a verdict on all that it was to judge."
    return _did_not_end(record.state.reason)


def _did_not_end(reason: str) -> str:
    return f"The run did not come to its end: {_as_sentence(reason, capital=False)}" if reason else NO_END


def _so_far(record: RunRecord, entries: Sequence[VerdictEntry]) -> str:
    """How much there is, and that it is no result."""
    if record.header.kind == "load":
        return f"{recorded_so_far(record)}."
    never = len(record.unjudged())
    if not never:
        return f"Judged so far: {plural(len(entries), 'check')}."
    return (
        f"{len(entries)} of {plural(len(entries) + never, 'check')} were judged, which is neither a pass nor a failure."
    )


def _as_sentence(reason: str, *, capital: bool = True) -> str:
    whole = reason if reason.endswith((".", "!", "?")) else f"{reason}."
    return whole[:1].upper() + whole[1:] if capital else whole


def _of_load(entries: Sequence[VerdictEntry]) -> Headline:
    objectives = [entry for entry in entries if entry.trials]
    sent = next((entry for entry in entries if entry.id == SENT and entry.verdict.outcome != Outcome.PASS), None)
    if sent is not None:
        return Headline("Invalid", f"No measurement: {sent.verdict.found}.", Outcome.INCONCLUSIVE)
    all_of_them = plural(len(objectives), "objective")
    if missed := _ids(objectives, Outcome.FAIL):
        return Headline("Missed", f"{len(missed)} of {all_of_them} missed: {', '.join(missed)}.", Outcome.FAIL)
    if unsupported := [entry.verdict.found for entry in entries if entry.id == SUPPORT]:
        return Headline("Undecided", f"{'; '.join(unsupported)}.", Outcome.INCONCLUSIVE)
    if open_ids := _ids(objectives, Outcome.INCONCLUSIVE):
        undecided = f"{len(open_ids)} of {all_of_them} undecided: {', '.join(open_ids)}."
        return Headline("Undecided", undecided, Outcome.INCONCLUSIVE)
    return Headline("Held", f"{all_of_them} held, at 95 % confidence each.", Outcome.PASS)


def _ids(entries: Sequence[VerdictEntry], *outcomes: Outcome) -> list[str]:
    """The MUSTs that ended so; an error counts at any level, as it does for the exit status."""
    return [
        entry.id
        for entry in entries
        if entry.verdict.outcome in outcomes and (entry.level == "MUST" or entry.verdict.outcome == Outcome.ERROR)
    ]
