"""How bytes reach an agent, or another module that is spoken to in lines: a process here, or one in a pod.

Each calls back from a thread of its own: with every line, and once with the reason when nothing more can come.
"""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from seatrial.errors import ClusterError, in_words

OnLine = Callable[[bytes], None]
OnClosed = Callable[[str], None]
_AGENT = "seatrial.traffic.agent"
_PING_EVERY_S = 15.0
_STDIN, _STDOUT, _STDERR, _STATUS = 0, 1, 2, 3
_TAIL = 2000


class Channel(Protocol):
    """A pair of byte pipes to an agent."""

    def open(self, on_line: OnLine, on_closed: OnClosed) -> None:
        """Start the agent. Raises ClusterError if it cannot be reached."""

    def send(self, lines: bytes) -> None:
        """Pass on whole lines. Raises ClusterError once closed."""

    def close(self) -> None:
        """End the agent."""


class ProcessChannel:
    """An agent on this machine."""

    def __init__(self, python: str = sys.executable, module: str = _AGENT) -> None:
        self._command = [python, "-m", module]
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def open(self, on_line: OnLine, on_closed: OnClosed) -> None:
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us; the agent ends when its stdin does
            )
        except OSError as reason:
            raise ClusterError(
                f"generator: expected a Python interpreter at {self._command[0]}, found {in_words(reason)}; "
                "install Seatrial's dependencies there"
            ) from reason
        threading.Thread(target=self._read, args=(self._process, on_line, on_closed), daemon=True).start()

    def send(self, lines: bytes) -> None:
        process = self._process
        try:
            if process is None or process.stdin is None:
                raise BrokenPipeError("it was not opened")
            with self._lock:
                process.stdin.write(lines)
                process.stdin.flush()
        except (OSError, ValueError) as reason:
            raise ClusterError(f"generator: expected its process to take a message, found {reason}") from reason

    def close(self) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(OSError, ValueError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @staticmethod
    def _read(process: subprocess.Popen[bytes], on_line: OnLine, on_closed: OnClosed) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        errors: list[bytes] = []
        said = threading.Thread(target=lambda pipe: errors.extend(pipe), args=(process.stderr,), daemon=True)
        said.start()
        for line in process.stdout:
            on_line(line)
        code = process.wait()
        said.join(timeout=1)
        on_closed(f"its process ended with status {code}: {b''.join(errors)[-_TAIL:].decode('utf-8', 'replace')}")


class ExecChannel:
    """An agent in a pod of the cluster, over the exec subresource of the Kubernetes API.

    One thread both reads and writes the websocket: a TLS connection may not be used from two at once.
    """

    def __init__(
        self,
        kubeconfig: Path | str,
        context: str | None,
        namespace: str,
        pod: str,
        container: str | None = None,
        python: str = "python",
        module: str = _AGENT,
    ) -> None:
        self._kubeconfig, self._context = str(kubeconfig), context
        self._namespace, self._pod, self._container = namespace, pod, container
        self._command = [python, "-m", module]
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._wake, self._woken = socket.socketpair()
        self._closed = threading.Event()
        self._rest = b""
        self._errors = b""
        self._status = b""

    def open(self, on_line: OnLine, on_closed: OnClosed) -> None:
        websocket = self._connect()
        threading.Thread(target=self._serve, args=(websocket, on_line, on_closed), daemon=True).start()

    def send(self, lines: bytes) -> None:
        if self._closed.is_set():
            raise ClusterError(f"generator: expected pod {self._where} to take a message, found the connection closed")
        self._outgoing.put(lines)
        self._wake.send(b"\0")

    def close(self) -> None:
        if not self._closed.is_set():
            self._outgoing.put(None)
            self._wake.send(b"\0")
            self._closed.wait(timeout=5)

    @property
    def _where(self) -> str:
        return f"{self._namespace}/{self._pod}"

    def _connect(self) -> Any:
        # Imported here: an agent's image has no Kubernetes client, and this module is not needed there.
        from kubernetes import client, config, stream
        from kubernetes.config import ConfigException
        from urllib3.exceptions import HTTPError
        from websocket import WebSocketException

        connect: Callable[..., Any] = config.new_client_from_config
        try:
            api = client.CoreV1Api(connect(self._kubeconfig, self._context))
            # `stream` replaces the client's request function: this api object serves nothing else afterwards.
            return stream.stream(
                api.connect_get_namespaced_pod_exec,
                self._pod,
                self._namespace,
                **({"container": self._container} if self._container else {}),
                command=self._command,
                stdin=True,
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
            ).sock
        except (client.ApiException, ConfigException, HTTPError, WebSocketException, OSError) as reason:
            raise ClusterError(
                f"generator: expected to run a command in pod {self._where}, found {str(reason).strip()}; "
                "see that the pod runs and that pods/exec may be created"
            ) from reason

    def _serve(self, websocket: Any, on_line: OnLine, on_closed: OnClosed) -> None:
        reason = "the connection was closed"
        try:
            self._pump(websocket, on_line)
        except Exception as found:  # noqa: BLE001 - whatever ends this thread, callers must not wait for ever
            reason = f"{type(found).__name__}: {found}"
        finally:
            self._closed.set()
            with contextlib.suppress(Exception):
                websocket.close(timeout=1)
        said = (self._status + b" " + self._errors[-_TAIL:]).decode("utf-8", "replace").strip()
        on_closed(f"{reason}; {said}" if said else reason)

    def _pump(self, websocket: Any, on_line: OnLine) -> None:
        pinged_s = time.monotonic()
        waiting = select.poll()
        waiting.register(websocket.sock, select.POLLIN)
        waiting.register(self._woken, select.POLLIN)
        while True:
            # Bytes that TLS has already taken in are not seen by poll.
            pending = getattr(websocket.sock, "pending", lambda: 0)()
            ready = {number for number, _ in waiting.poll(0 if pending else 1000)}
            if self._woken.fileno() in ready:
                self._woken.recv(4096)
                while not self._outgoing.empty():
                    lines = self._outgoing.get()
                    if lines is None:
                        return
                    websocket.send_binary(bytes([_STDIN]) + lines)
            if (pending or websocket.sock.fileno() in ready) and not self._receive(websocket, on_line):
                return
            if time.monotonic() - pinged_s > _PING_EVERY_S:
                websocket.ping()
                pinged_s = time.monotonic()

    def _receive(self, websocket: Any, on_line: OnLine) -> bool:
        from websocket import ABNF

        opcode, frame = websocket.recv_data_frame(True)
        if opcode == ABNF.OPCODE_CLOSE:
            return False
        if opcode not in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) or not frame.data:
            return True
        kind, data = frame.data[0], frame.data[1:]
        if kind == _STDOUT:
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                on_line(line)
        elif kind == _STDERR:
            self._errors = (self._errors + data)[-_TAIL:]
        elif kind == _STATUS:
            self._status += data
        return True
