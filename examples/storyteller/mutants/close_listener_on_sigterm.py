"""The listener is closed at SIGTERM, while endpoints still lead here."""

from ._source import planted

BREAKS = {"D4", "R1"}

DEFECT = """
async def drain(self, server, healthy=Storyteller.drain):
    server.close()
    await healthy(self, server)


Storyteller.drain = drain
"""


def patch(manifests, contract):
    return planted(manifests, DEFECT)
