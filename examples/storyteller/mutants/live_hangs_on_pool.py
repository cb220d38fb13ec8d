"""Liveness takes a place in the pool of connections, which a library that stalls exhausts."""

from ._source import planted

BREAKS = {"P3"}

DEFECT = """
async def live(self):
    async with self.library.places:
        return True


Storyteller.live = live
"""


def patch(manifests, contract):
    return planted(manifests, DEFECT)
