"""The text that a run ends with: one line a check, then what it comes to."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence

import click

from seatrial.record import RunRecord, VerdictEntry, summarise
from seatrial.record.verdicts import by_id
from seatrial.reporting.headline import headline
from seatrial.reporting.text import SIGNS, plural, sentence
from seatrial.verdict import Outcome

COLOURS = {
    Outcome.PASS: "green",
    Outcome.FAIL: "red",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.ERROR: "magenta",
    Outcome.SKIPPED: "bright_black",
}
NARROWEST = 60


def verdict_table(entries: Iterable[VerdictEntry], width: int = 100) -> str:
    """One line a check: outcome, id, level, n, name; below a check that did not pass its sentence and what to do.

    With colour codes, which `click.echo` takes out again where nobody would see colours.
    """
    ordered = sorted(entries, key=by_id)
    id_width = max([len(entry.id) for entry in ordered], default=2)
    n_width = max([len(str(entry.verdict.n or "")) for entry in ordered], default=1)
    lines = []
    for entry in ordered:
        verdict = entry.verdict
        outcome = click.style(f"{SIGNS[verdict.outcome]} {verdict.outcome:<12}", fg=COLOURS[verdict.outcome])
        n = f"n={verdict.n}" if verdict.n is not None else ""
        name = (entry.name or entry.title).replace("_", "-")
        head = f"{outcome} {entry.id:<{id_width}}  {entry.level:<6}  {n:<{n_width + 2}}  "
        indent = " " * len(click.unstyle(head))
        if verdict.outcome in (Outcome.PASS, Outcome.SKIPPED):
            lines.append(head + _cut(f"{name}: {sentence(verdict)}", width - len(indent)))
            continue
        lines.append(head + name)
        for text in (sentence(verdict), f"do: {verdict.do}" if verdict.do else ""):
            lines += textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)
    return "\n".join(lines)


def closing(record: RunRecord) -> str:
    """The tally, the headline and where the record is."""
    entries = sorted(record.verdicts(), key=by_id)
    summary = summarise(entries)
    verdict = headline(record, entries, summary, [])
    tallies = [
        f"{level}: " + ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts.get(outcome))
        for level, counts in sorted(summary.counts.items())
    ]
    word = click.style(verdict.word, fg=COLOURS[verdict.tone], bold=True)
    checks = plural(len(entries), "check")
    return "\n".join(
        [
            f"{checks}. {'; '.join(tallies)}" if tallies else "No checks.",
            f"{word}. {verdict.sentence}",
            f"Record: {record.folder}",
        ]
    )


def print_result(record: RunRecord, entries: Sequence[VerdictEntry] | None = None) -> None:
    """Table and closing to stdout, without colour where it is no terminal."""
    width = max(NARROWEST, shutil.get_terminal_size((100, 24)).columns)
    click.echo(verdict_table(record.verdicts() if entries is None else entries, width))
    click.echo()
    click.echo(closing(record))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 1)] + "…"
