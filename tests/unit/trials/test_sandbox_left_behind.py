"""What a sandbox leaves behind where it does not come up: nothing."""

import socket
import threading
from types import SimpleNamespace

import pytest

from seatrial.clock import RunClock
from seatrial.errors import ClusterError
from seatrial.observation import Remains, Timeline
from seatrial.trials.limit import TimeLimit
from seatrial.trials.sandbox import Sandbox

NAMESPACE = "seatrial-ab12-install"


class Silent:
    """An API server that makes namespaces, and says nothing to those who watch."""

    verify, headers = True, {}

    def __init__(self, port):
        self.base_url = f"http://127.0.0.1:{port}"
        self.namespaces = []

    def create(self, path, body):
        self.namespaces.append(body["metadata"]["name"])

    def delete(self, path):
        self.namespaces.remove(path.rpartition("/")[2])


class Interrupted:
    """What a watch waits at: the wait ends otherwise."""

    def __init__(self, error):
        self._error = error

    def acquire(self, timeout):
        raise self._error


@pytest.fixture
def api():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Silent(server.getsockname()[1])


@pytest.mark.parametrize("error", [ClusterError("403 for Pod"), KeyboardInterrupt()], ids=lambda error: type(error))
def test_a_sandbox_whose_watch_does_not_open_leaves_neither_a_namespace_nor_a_watch(api, error):
    context = SimpleNamespace(
        limit=TimeLimit(60.0),
        run_id="ab12",
        api=api,
        clock=RunClock.start(),
        watches=frozenset(),
        workloads={},
        cluster=None,
        say=print,
    )
    sandbox = Sandbox(context, "install")
    sandbox.watch._listed = Interrupted(error)
    with pytest.raises(type(error)), sandbox:
        raise AssertionError("it came up")
    assert api.namespaces == []
    assert isinstance(error, KeyboardInterrupt) or error.remains == Remains(Timeline(), ())
    assert f"watch-{NAMESPACE}" not in [thread.name for thread in threading.enumerate()]
