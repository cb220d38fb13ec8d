"""Streams get two seconds after SIGTERM, other requests the whole budget."""

from ._source import planted

BREAKS = {"D2"}

DEFECT = """
async def stream(self, words, seconds, writer, healthy=Storyteller.stream):
    async def cut():
        await self.stopping.wait()
        await asyncio.sleep(2)
        writer.transport.abort()

    cutting = asyncio.create_task(cut())
    await healthy(self, words, seconds, writer)
    cutting.cancel()


Storyteller.stream = stream
"""


def patch(manifests, contract):
    return planted(manifests, DEFECT)
