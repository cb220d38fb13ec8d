"""`seatrial check`: some checks only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seatrial.cli.certify import certify


@click.command(epilog="Example: seatrial check CHART ID --cluster kind")
@click.argument("chart", type=click.Path(path_type=Path))
@click.argument("ids", nargs=-1, required=True, metavar="CHECKS...")
@click.pass_context
def check(command: click.Context, /, chart: Path, ids: tuple[str, ...], **options: Any) -> int:
    """Judge some CHECKS on CHART, named by ids, names or groups.

    `seatrial checks` lists them. It is `certify --only`, whose options it takes.
    """
    status: int = command.invoke(certify, chart=chart, ids=ids, **options)
    return status


check.params += [param for param in certify.params if param.name not in ("chart", "ids")]
