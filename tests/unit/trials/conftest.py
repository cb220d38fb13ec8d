"""The listeners that tests of what trials send use."""

from tests.helpers.listeners import run_loads

__all__ = ["run_loads"]
