"""At SIGTERM a stream is ended as if it were whole: finish_reason, usage and `[DONE]` after half a story."""

from ._source import planted

BREAKS = {"D2"}

DEFECT = """
async def word(self, writer, number, word, healthy=Storyteller.word):
    if not self.stopping.is_set():
        await healthy(self, writer, number, word)


async def pause(self, seconds, healthy=Storyteller.pause):
    if not self.stopping.is_set():
        await healthy(self, seconds)


Storyteller.word, Storyteller.pause = word, pause
"""


def patch(manifests, contract):
    return planted(manifests, DEFECT)
