"""Planted defects of the reference servers, kept apart from the serving code."""

class UnknownFault(Exception):
    pass


def arm_from_environment(environment, server):
    raise UnknownFault(str(dict(environment).get("SEATRIAL_FAULT")))
