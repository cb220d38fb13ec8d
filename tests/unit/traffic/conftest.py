"""The listeners that tests of the client use."""

from tests.helpers.listeners import files_up_to, run_loads, server, web

__all__ = ["files_up_to", "run_loads", "server", "web"]
