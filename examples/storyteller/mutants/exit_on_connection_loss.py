"""A connection to the library that breaks ends the process."""

from ._source import planted

BREAKS = {"P3"}

DEFECT = """
async def ask(self, connection, healthy=Library.ask):
    try:
        return await healthy(self, connection)
    except (OSError, EOFError, asyncio.CancelledError):
        os._exit(1)


Library.ask = ask
"""


def patch(manifests, contract):
    return planted(manifests, DEFECT)
