"""What several tests of parts begin with."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.planted import REPOSITORY


@pytest.fixture
def greeter(tmp_path):
    """A chart outside this repository."""
    return Path(shutil.copytree(REPOSITORY / "examples" / "greeter", tmp_path / "greeter"))
