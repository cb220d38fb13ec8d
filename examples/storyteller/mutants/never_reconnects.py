"""A pool that lost a connection makes no new one."""

from ._source import planted

BREAKS = {"P3"}

DEFECT = """
async def ask(self, connection, healthy=Library.ask):
    try:
        return await healthy(self, connection)
    except BaseException:
        self.broken = True
        raise


async def connect(self, healthy=Library.connect):
    if getattr(self, "broken", False):
        raise ConnectionError("the pool is closed")
    return await healthy(self)


Library.ask, Library.connect = ask, connect
"""


def patch(manifests, contract):
    return planted(manifests, DEFECT)
