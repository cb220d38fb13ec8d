"""The cases of the contract that the scenario names: what trials ask, as a load."""

from seatrial.loads.contract_user import ContractUser


class Cases(ContractUser):
    """One user is one request per second."""
