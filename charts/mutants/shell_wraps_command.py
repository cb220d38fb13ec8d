"""A shell runs the chart's command as a child, and does not pass signals on to it."""

import shlex

from ._manifests import container

BREAKS = {"D8"}


def applies_to(manifests, contract):
    """The chart says what runs: what an image has for its entrypoint, no manifest tells."""
    return bool((container(manifests, contract) or {}).get("command"))


def patch(manifests, contract):
    if found := container(manifests, contract):
        words = [*found["command"], *found.pop("args", ())]
        # `; true` keeps the shell from replacing itself with its last command.
        found["command"] = ["sh", "-c", f"{shlex.join(words)}; true"]
    return manifests
