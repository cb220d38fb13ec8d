"""What a run comes to, in a word and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seatrial.record import Damage, RunRecord, Summary, VerdictEntry
from seatrial.record.loads import SENT, SUPPORT, recorded_so_far
from seatrial.record.summary import FEWEST_APPLICABLE_MUSTS
from seatrial.reporting.text import plural
from seatrial.verdict import Outcome


@dataclass(frozen=True, slots=True)
class Headline:
    """`tone` is an outcome's word, for colours."""

    word: str
    sentence: str
    tone: Outcome


def headline(
    record: RunRecord, entries: Sequence[VerdictEntry], summary: Summary, damage: Sequence[Damage]
) -> Headline:
    """Damage and a run cut short go before any verdict."""
    if damage:
        files = plural(len(damage), "file")
        return Headline("Evidence damaged", f"{files} of the record changed since it was recorded.", Outcome.ERROR)
    if record.state.status != "finished":
        why = f": {record.state.reason}" if record.state.reason else ""
        of_load = record.header.kind == "load"
        so_far = recorded_so_far(record) if of_load else f"Judged so far: {plural(len(entries), 'check')}"
        return Headline("Unfinished", f"The run did not come to its end{why}. {so_far}.", Outcome.ERROR)
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
