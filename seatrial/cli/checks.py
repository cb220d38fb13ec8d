"""`seatrial checks`: what there is to be judged, and what of it a contract promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from seatrial.cli._folders import own_checks
from seatrial.content import content
from seatrial.contract import Contract, read_contract
from seatrial.suite.check import Check
from seatrial.suite.registry import load_checks, selected


@click.command(epilog="Example: seatrial checks CHART --only drain")
@click.argument("chart", type=click.Path(path_type=Path), required=False)
@click.option("--only", "names", multiple=True, metavar="CHECK", help="An id, a name or a group; may be given again.")
@own_checks
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def checks(chart: Path | None, names: tuple[str, ...], folders: tuple[Path, ...], as_json: bool) -> None:
    """List the checks; with CHART, say which of them its contract makes apply.

    The same ids, names and groups choose checks in `check`, `certify --only` and `faults --only`.
    """
    contract = read_contract(chart) if chart else None
    known = load_checks(content("conformance"), *folders)
    listed = [described(check, contract) for check in (selected(known, names) if names else known).values()]
    if as_json:
        click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
        return
    group = ""
    for check in listed:
        if check["group"] != group:
            group = check["group"]
            click.echo(f"{group}:")
        click.echo(f"  {check['id']:4} {check['level']:6} {check['name']:36} {_when(check)}")
        click.echo(f"  {'':4} {'':6} {check['title']}")
    if contract:
        applying = sum(not check["unmade"] for check in listed)
        click.echo(f"{len(listed)} checks; {applying} apply to {contract.name}")


def described(check: Check, contract: Contract | None) -> dict[str, Any]:
    """A check as JSON has it; `unmade`: the promises that it needs and the contract does not make ("" without one)."""
    return {
        "id": check.id,
        "name": check.name,
        "level": check.level,
        "group": check.group,
        "promise": check.promise,
        "title": check.title,
        "unmade": check.unmade(contract) if contract else "",
    }


def _when(check: dict[str, Any]) -> str:
    if check["unmade"]:
        return f"skipped: no {check['unmade']}"
    return check["promise"] or "always"
