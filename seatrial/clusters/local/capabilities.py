"""What templates may ask of the embedded cluster, known before it is up."""

from __future__ import annotations

from seatrial.clusters.local.api.kinds import KINDS, VIRTUAL
from seatrial.clusters.local.api.schema import git_version
from seatrial.helm import Capabilities


def local_capabilities() -> Capabilities:
    """As a cluster that is up would be asked for them."""
    stored = {f"{kind.api_version}/{kind.kind}" for kind in KINDS.values()}
    virtual = {f"{group_version}/{entry[1]}" for group_version, entries in VIRTUAL.items() for entry in entries}
    kinds = stored | virtual
    return Capabilities(git_version(), tuple(sorted(kinds | {kind.rpartition("/")[0] for kind in kinds})))
