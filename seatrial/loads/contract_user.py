"""A Locust user that asks the cases of a contract: those that trials ask, by the same adapters.

Importing this module imports Locust: import it only from a Locust file, as seatrial.loads.locust_user.

    class Chat(ContractUser):
        contract = Path(__file__).parent / "../charts/chat"
        api = "chat"

A scenario that names a contract comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seatrial.errors import InputError
from seatrial.loads.cases import cases_of
from seatrial.loads.locust_user import OpenLoopUser
from seatrial.traffic.plan import Exchange


class ContractUser(OpenLoopUser):
    """Subclass with `contract`, or leave that to the scenario; never instantiated by hand."""

    abstract = True
    contract: Path | None = None  # the file, or the folder that holds one
    api = ""  # the default one

    def exchanges(self) -> Sequence[Exchange]:
        """Every case, each request with its credentials."""
        scenario = self.scenario()
        if scenario is not None and scenario.contract is not None:
            return cases_of(Path(scenario.contract), scenario.api)
        if self.contract is None:
            raise InputError(
                f"{type(self).__name__}: expected a contract whose cases are asked, found none; "
                "name one in the scenario (`contract`), or in the class"
            )
        return cases_of(self.contract, self.api)
