from collections.abc import AsyncIterator

import pytest_asyncio
from control_plane import ControlPlane


@pytest_asyncio.fixture
async def plane(tmp_path) -> AsyncIterator[ControlPlane]:
    async with ControlPlane(tmp_path) as plane:
        yield plane
