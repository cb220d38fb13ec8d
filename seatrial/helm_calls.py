"""Calls to the worker process that has Helm's library, from as many threads as there are."""

import atexit
import itertools
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from seatrial.errors import ClusterError


class CallRefused(Exception):
    """The library's own words for why it did not do as asked."""


class Worker:
    """The process of helm_worker.py and the calls that wait for it."""

    def __init__(self) -> None:
        # Not the interpreter's own name: that varies (python, python3, pytest), and Helm would take each for
        # another owner of the release's fields. The file need not exist, only its folder tells a venv apart.
        name = str(Path(sys.executable).with_name("helm"))
        self._process = subprocess.Popen(
            [name, "-m", "seatrial.helm_worker"],
            executable=sys.executable,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        self._ids = itertools.count()
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self.alive = True
        threading.Thread(target=self._listen, name="helm-worker", daemon=True).start()
        atexit.register(self._close)

    def ask(self, action: str, arguments: dict[str, Any], within_s: float) -> Any:
        """What the library answers. Raises CallRefused, TimeoutError, and ClusterError where the process has ended."""
        future: Future[dict[str, Any]] = Future()
        with self._lock:
            number = next(self._ids)
            request = {"id": number, "action": action, "arguments": arguments}
            self._waiting[number] = future
            if not self.alive:
                raise ClusterError("expected an answer from the Helm worker process, but it has ended; run again")
            assert self._process.stdin
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        try:
            answer = future.result(within_s)
        except TimeoutError:
            with self._lock:
                self._waiting.pop(number, None)
            raise
        if "error" in answer:
            raise CallRefused(answer["message"])
        return answer["result"]

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._lock:
                future = self._waiting.pop(answer["id"], None)
            if future is not None:  # else nobody waits for it any more
                future.set_result(answer)
        with self._lock:
            self.alive = False
            orphans = list(self._waiting.values())
            self._waiting.clear()
        said = f"expected an answer from the Helm worker process, but it ended with {self._process.wait()}; run again"
        for future in orphans:
            future.set_exception(ClusterError(said))

    def _close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=10)
