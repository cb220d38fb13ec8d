"""The listeners that tests of loads use."""

from tests.helpers.listeners import files_up_to, run_loads, server, web

__all__ = ["files_up_to", "run_loads", "server", "web"]
