"""Images are not pulled: a process stands for one, or it is missing and asked for again with growing waits."""

import asyncio
from collections.abc import Callable

from seatrial.clusters.local.kubelet.backoff import INITIAL_S, LONGEST_S
from seatrial.clusters.local.kubelet.images import Image, ImageNotFound
from seatrial.clusters.local.kubelet.sandbox import Sandbox


async def pull(sandbox: Sandbox, container: str, reference: str, waits: Callable[[str, str], None]) -> Image:
    """The image, as soon as there is one; until then `waits` is told reason and message."""
    recorder = sandbox.context.recorder
    delay_s = INITIAL_S
    while True:
        try:
            image = sandbox.context.images.find(reference)
        except ImageNotFound as error:
            recorder.normal(sandbox.pod, "Pulling", f'Pulling image "{reference}"', container)
            recorder.warning(sandbox.pod, "Failed", f'Failed to pull image "{reference}": {error}', container)
            recorder.warning(sandbox.pod, "Failed", "Error: ErrImagePull", container)
            waits("ErrImagePull", str(error))
            await asyncio.sleep(1)  # both states are seen on a real node, this one for about as long
            recorder.normal(sandbox.pod, "BackOff", f'Back-off pulling image "{reference}"', container)
            recorder.warning(sandbox.pod, "Failed", "Error: ImagePullBackOff", container)
            waits("ImagePullBackOff", f'Back-off pulling image "{reference}": ErrImagePull: {error}')
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_S)
        else:
            message = f'Container image "{reference}" already present on machine'
            recorder.normal(sandbox.pod, "Pulled", message, container)
            return image
