"""A Locust user that asks for the word that all peers ask for, through Seatrial's generator."""

from seatrial.loads.locust_user import OpenLoopUser
from seatrial.traffic.plan import Exchange


class Hello(OpenLoopUser):
    """One user is one request per second."""

    def exchanges(self) -> list[Exchange]:
        return [Exchange("hello", "GET", "/", expect={"greeting": "Hello"})]
