"""The text that a run ends with: one line a check, then what it comes to."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from seatrial.record import Asked, RunRecord, VerdictEntry, summarise
from seatrial.record.codec import plain, to_json
from seatrial.record.header import SCHEMA
from seatrial.reporting.headline import headline
from seatrial.reporting.load import recorded_stages
from seatrial.reporting.text import NEVER, SIGNS, decisive, plural, sentence
from seatrial.verdict import Outcome

COLOURS = {
    Outcome.PASS: "green",
    Outcome.FAIL: "red",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.ERROR: "magenta",
    Outcome.SKIPPED: "bright_black",
}
NARROWEST, OF_A_FILE = 60, 110


def verdict_table(entries: Iterable[VerdictEntry]) -> str:
    """One line a check, in their order: outcome, id, level, n, name.

    Below a check that did not pass its sentence, what to do, and where the requests are that decided it. A line that
    is too long for a terminal is cut there, and nowhere else.

    With colour codes: `click.echo` takes them out again in a pipe.
    """
    ordered = list(entries)
    terminal = sys.stdout.isatty()
    width = max(NARROWEST, shutil.get_terminal_size().columns) if terminal else OF_A_FILE
    id_width = max([len(entry.id) for entry in ordered], default=2)
    n_width = max([len(str(entry.verdict.n or "")) for entry in ordered], default=1)
    lines = []
    for entry in ordered:
        verdict = entry.verdict
        outcome = click.style(f"{SIGNS[verdict.outcome]} {verdict.outcome:<12}", fg=COLOURS[verdict.outcome])
        n = f"n={verdict.n}" if verdict.n is not None else ""
        name = entry.name or entry.title
        head = f"{outcome} {entry.id:<{id_width}}  {entry.level:<6}  {n:<{n_width + 2}}  "
        indent = " " * len(click.unstyle(head))
        if verdict.outcome in (Outcome.PASS, Outcome.SKIPPED):
            said = f"{name}: {sentence(verdict)}"
            lines.append(head + (_cut(said, width - len(indent)) if terminal else said))
            continue
        lines.append(head + name)
        places = decisive(verdict)
        for text in (
            sentence(verdict),
            f"do: {verdict.do}" if verdict.do else "",
            f"decisive: {places}" if places else "",
        ):
            lines += textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)
    return "\n".join(lines)


def unjudged_table(unjudged: Sequence[Asked]) -> str:
    """One line for each check that was asked for and has no verdict."""
    id_width = max([len(asked.id) for asked in unjudged], default=2)
    word = click.style(f"{NEVER} {'not judged':<12}", fg=COLOURS[Outcome.ERROR])
    return "\n".join(
        f"{word} {asked.id:<{id_width}}  {asked.level:<6}  {asked.name or asked.title}" for asked in unjudged
    )


def as_text(folder: Path) -> str:
    """The table of a record's verdicts, the tally and what they come to. Raises InputError for no record."""
    record = RunRecord.open(folder)
    entries = record.verdicts_in_order()
    stages = recorded_stages(record) if record.header.kind == "load" else []
    tables = [verdict_table(entries), unjudged_table(record.unjudged())]
    return "\n\n".join([*stages, *filter(None, tables), closing(record, entries)])


def as_json(folder: Path) -> str:
    """The same as one JSON document with a schema version. Raises InputError for no record."""
    record = RunRecord.open(folder)
    entries = record.verdicts_in_order()
    result = headline(record, entries, summarise(entries), [])
    document = {
        "schema": SCHEMA,
        "run": {name: value for name, value in plain(record.header).items() if name not in ("contract", "scenario")},
        "state": plain(record.state),
        "result": {"word": result.word, "sentence": result.sentence, "exit_status": record.exit_status(entries)},
        "record": {"folder": str(folder), "sha256": record.digest()},
        "first_tries": plain(record.first_tries()),
        "unjudged": [asked.id for asked in record.unjudged()],
        "verdicts": [plain(entry) for entry in entries],
    }
    return to_json(document).decode("ascii").rstrip("\n")


def closing(record: RunRecord, entries: Sequence[VerdictEntry]) -> str:
    """What was run twice, the tally, what it comes to, and where the record is."""
    summary = summarise(entries)
    result = headline(record, entries, summary, [])
    tallies = [
        f"{level}: " + ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts.get(outcome))
        for level, counts in sorted(summary.counts.items())
    ]
    word = click.style(result.word, fg=COLOURS[result.tone], bold=True)
    tally = f"{plural(len(entries), 'check')}. {'; '.join(tallies)}" if tallies else "No checks."
    if never := record.unjudged():
        tally += f"{'' if tally.endswith('.') else '.'} Not judged: {len(never)}."
    twice = "".join(f"Note: {first.sentence(name)}.\n" for name, first in sorted(record.first_tries().items()))
    return f"{twice}{tally}\n{word}. {result.sentence}\nRecord: {record.folder}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 1)] + "…"
