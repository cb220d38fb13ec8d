"""`seatrial schema`: what a contract may hold, for editors."""

from __future__ import annotations

import json

import click

from seatrial.contract.schema import contract_schema


@click.command(epilog="Example: seatrial schema > contract.schema.json")
def schema() -> None:
    """Print the JSON Schema of contract.yaml.

    With it an editor completes and explains keys, and marks those that mean nothing. A contract names it in its first
    line:

    \b
        # yaml-language-server: $schema=contract.schema.json
    """
    click.echo(json.dumps(contract_schema(), indent=2, ensure_ascii=False))
