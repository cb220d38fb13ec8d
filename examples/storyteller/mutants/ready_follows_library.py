"""Readiness is false while the library is out, and true again after it."""

from ._source import planted

SPARES = {"P3"}

DEFECT = """
async def ready(self):
    try:
        return self.loaded and bool(await self.library.opening())
    except OSError:
        return False


Storyteller.ready = ready
"""


def patch(manifests, contract):
    return planted(manifests, DEFECT)
