"""The option by which several commands are given checks and trials beside those of the project."""

from __future__ import annotations

from pathlib import Path

import click

own_checks = click.option(
    "--conformance",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder with checks and trials of your own; may be given again.",
)
