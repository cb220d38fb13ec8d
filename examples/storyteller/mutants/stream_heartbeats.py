"""A comment goes before every event of a stream, as proxies like to have it."""

from ._source import planted

SPARES = {"D2"}

DEFECT = """
async def event(self, writer, data, healthy=Storyteller.event):
    comment = b": still here\\n\\n"
    writer.write(b"%x\\r\\n%b\\r\\n" % (len(comment), comment))
    await healthy(self, writer, data)


Storyteller.event = event
"""


def patch(manifests, contract):
    return planted(manifests, DEFECT)
