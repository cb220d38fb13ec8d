"""The last word of a stream is lost when the server drains."""

from ._source import planted

BREAKS = {"D2"}

DEFECT = """
async def word(self, writer, number, word, healthy=Storyteller.word):
    if word != "." or not self.stopping.is_set():
        await healthy(self, writer, number, word)


Storyteller.word = word
"""


def patch(manifests, contract):
    return planted(manifests, DEFECT)
