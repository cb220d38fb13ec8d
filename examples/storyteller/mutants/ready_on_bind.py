"""Ready as soon as the port is open, before the model is loaded."""

from ._source import planted

BREAKS = {"P1", "R1"}

DEFECT = """
async def ready(self):
    return True


Storyteller.ready = ready
"""


def patch(manifests, contract):
    return planted(manifests, DEFECT)
