"""A stream that ends while the server drains has no `[DONE]`."""

from ._source import planted

BREAKS = {"D2"}

DEFECT = """
async def event(self, writer, data, healthy=Storyteller.event):
    if data != "[DONE]" or not self.stopping.is_set():
        await healthy(self, writer, data)


Storyteller.event = event
"""


def patch(manifests, contract):
    return planted(manifests, DEFECT)
