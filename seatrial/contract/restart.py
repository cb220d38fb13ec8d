"""A way to end the server, so that its container is started again in place."""

from __future__ import annotations

from pydantic import ConfigDict, RootModel

from seatrial.contract.base import Promise


class Restart(RootModel[tuple[str, ...]], Promise):
    """A command, run in the container, that ends the server; empty where there is none."""

    model_config = ConfigDict(frozen=True)

    def __bool__(self) -> bool:
        return bool(self.root)

    @property
    def command(self) -> tuple[str, ...]:
        """The program and its arguments."""
        return self.root
