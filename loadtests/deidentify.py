"""Clinical sentences to de-identify, as the reference service's contract has them: every answer is known."""

from seatrial.content import content
from seatrial.loads.contract_user import ContractUser


class Deidentify(ContractUser):
    """One user is one request per second."""

    contract = content("charts") / "openmed-service"
    api = "deidentify"
