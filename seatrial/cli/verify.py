"""`seatrial verify`: is the record as it was recorded, and does its evidence still say what its verdicts say?"""

from __future__ import annotations

from pathlib import Path

import click

from seatrial.cli._clusters import refuse_others
from seatrial.cli._folders import own_checks
from seatrial.content import content
from seatrial.record import Damage, RunRecord, summarise
from seatrial.reporting.headline import headline
from seatrial.reporting.terminal import unjudged_table, verdict_table
from seatrial.reporting.text import plural, sentence
from seatrial.suite.registry import load_checks
from seatrial.suite.replay import Replay, answer_again, judge_again


@click.command(epilog="Example: seatrial verify runs/20260101-120000-a1b2")
@click.argument("record", type=click.Path(path_type=Path))
@own_checks
@click.option(
    "--adapter",
    "adapters",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="An adapter that you trust: the record's is run only if it has the same text.",
)
def verify(record: Path, folders: tuple[Path, ...], adapters: tuple[Path, ...]) -> int:
    """Judge the run recorded in RECORD again, with no cluster at hand.

    Exit status: as of the verdicts judged again; 2 where one differs from the record or could not be judged again,
    and where the run did not come to its end; 3 where a file is no longer as it was recorded, or the run was refused.
    """
    opened = RunRecord.open(record)
    damage = opened.damage()
    for file, what in opened.loose_ends():
        click.echo(f"note: {file}: {what}", err=True)
    for name, first in opened.first_tries().items():
        click.echo(f"note: {first.sentence(name)}", err=True)
    for file, what in damage:
        click.echo(f"damaged: {file}: {what}", err=True)
    if opened.header.kind == "load":
        refuse_others(("record",), expected="a record of checks", found="that of a load")
        replay = answer_again(opened, damage)
    else:
        replay = judge_again(opened, load_checks(content("conformance"), *folders), damage, folders, adapters)
    _tell(replay, damage)
    if not opened.is_whole:
        _tell_unfinished(opened)
    if damage or opened.state.status == "refused":
        return 3
    return 2 if replay.changed or replay.lost else opened.exit_status(replay.again)


def _tell_unfinished(record: RunRecord) -> None:
    """How the run ended, and what it never judged."""
    click.echo()
    entries = record.verdicts_in_order()
    if unjudged := record.unjudged():
        click.echo(unjudged_table(unjudged))
        click.echo()
    result = headline(record, entries, summarise(entries), [])
    click.echo(f"{result.word}. {result.sentence}")


def _tell(replay: Replay, damage: list[Damage]) -> None:
    if replay.again:
        click.echo(verdict_table(replay.again))
        click.echo()
    for pairs, words in ((replay.changed, ""), (replay.reworded, ", in other words")):
        for old, new in pairs:
            click.echo(f"{old.id}: recorded as {old.verdict.outcome} ({sentence(old.verdict)}),")
            click.echo(f"{' ' * len(old.id)}  judged again {new.verdict.outcome}{words} ({sentence(new.verdict)})")
    for check_id, why in replay.lost.items():
        click.echo(f"{check_id}: not judged again: {why}")
    equal = len(replay.again) - len(replay.changed)
    files = f"{plural(len(damage), 'file')} damaged" if damage else "every file as it was recorded"
    words = f" ({len(replay.reworded)} in other words)" if replay.reworded else ""
    click.echo(f"{plural(equal, 'verdict')} judged again as recorded{words}, {len(replay.changed)} otherwise; {files}.")
