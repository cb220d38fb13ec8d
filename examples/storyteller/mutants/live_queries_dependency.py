"""Liveness asks the library."""

from ._source import planted

BREAKS = {"P3"}

DEFECT = """
async def live(self):
    try:
        return bool(await self.library.opening())
    except OSError:
        return False


Storyteller.live = live
"""


def patch(manifests, contract):
    return planted(manifests, DEFECT)
