"""A TCP connection that tells exactly what happened to it.

Bare sockets on the loop's readiness events rather than a transport: the kernel's own error is seen, each
timestamp is taken when the event arrives, and nothing is buffered or retried on the way.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import socket
import ssl
import struct
from typing import Protocol

READ_BYTES = 16 * 1024  # at most, at once; room for more is taken from the kernel anew again and again
_FIN_WAIT_S = 1.0
_NO_LINGER = struct.pack("ii", 1, 0)
_numbers = itertools.count(1)

REFUSED, RESET, TIMEOUT, EOF, UNSENT = "refused", "reset", "timeout", "eof", "unsent"
_KINDS = {
    errno.ECONNREFUSED: REFUSED,
    errno.EHOSTUNREACH: REFUSED,  # the address of a pod that is gone: nobody there took the connection
    errno.ENETUNREACH: REFUSED,
    errno.ETIMEDOUT: TIMEOUT,
    errno.ECONNRESET: RESET,
    errno.EPIPE: RESET,
    errno.ECONNABORTED: RESET,
}
_WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class User(Protocol):
    """Who uses a connection at the moment."""

    def opened(self) -> None:
        """The connection is established."""

    def drained(self) -> None:
        """The rest of the bytes given to `write` is with the kernel."""

    def received(self, data: bytes) -> None:
        """Bytes came."""

    def lost(self, kind: str) -> None:
        """The connection ended by itself: refused, reset, timeout, eof (a FIN), tls or unsent (our own machine)."""


class Connection:
    """One connection to host:port (an address, not a name), used by one attempt at a time."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        host: str,
        port: int,
        pod: str = "",
        target: str = "",
    ) -> None:
        self.number = next(_numbers)
        self.pod, self.target = pod, target
        self.codes = (0, 0)  # of target and pod, in the ledger of whoever opened it
        self.local_port = 0
        self.is_open = False
        self.user: User | None = None
        self._loop = loop
        self._peer = (host, port)
        self._socket: socket.socket | None = None
        self._unwritten = b""

    def open(self, user: User) -> None:
        """Connect; `user` hears of it later, never during this call."""
        self.user = user
        try:
            family = socket.AF_INET6 if ":" in self._peer[0] else socket.AF_INET
            self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = self._socket.connect_ex(self._peer)
        except OSError as reason:
            code = reason.errno or 0
        if self._socket is None or code not in (0, errno.EINPROGRESS):
            self._loop.call_soon(self._lose, _KINDS.get(code, UNSENT))
        else:
            self._loop.add_writer(self._socket.fileno(), self._on_connected)

    def write(self, data: bytes) -> bool:
        """Send data; whether the kernel took all of it at once. If not, `drained` is called when it has."""
        if self._socket is not None and not self._unwritten:
            try:
                sent = self._socket.send(data)
            except _WAIT:
                sent = 0
            except OSError:
                return False  # the peer's reset; an answer that came before it may still be waiting to be read
            if sent == len(data):
                return True
            data = data[sent:]
            self._loop.add_writer(self._socket.fileno(), self._on_writable)
        self._unwritten += data
        return False

    def close(self) -> None:
        """End the connection now; nobody is told."""
        self.user = None
        self.is_open = False
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def abort(self) -> None:
        """End the connection with a reset, for a peer that does not speak the protocol.

        Who closes first keeps the port for a minute (TIME_WAIT): a server of nothing but garbage would use them up.
        """
        if self._socket is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.close()

    def retire(self) -> None:
        """End the connection once the peer has: who closes first keeps the port for a minute (TIME_WAIT)."""
        self.user = None
        self.is_open = False
        self._loop.call_later(_FIN_WAIT_S, self.close)

    def _on_connected(self) -> None:
        if self._socket is None:
            return
        self._loop.remove_writer(self._socket.fileno())
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            # A reset in answer to our SYN is a refusal whatever the kernel calls it.
            self._lose(REFUSED if code == errno.ECONNRESET else _KINDS.get(code, UNSENT))
            return
        self.local_port = self._socket.getsockname()[1]
        self._established()

    def _established(self) -> None:
        assert self._socket is not None
        self.is_open = True
        self._loop.add_reader(self._socket.fileno(), self._on_readable)
        if self.user is not None:
            self.user.opened()

    def _on_writable(self) -> None:
        if self._socket is None:
            return
        try:
            sent = self._socket.send(self._unwritten)
        except _WAIT:
            sent = 0
        except OSError:
            # The peer's reset; an answer that came before it may still be waiting to be read.
            self._unwritten = b""
            self._loop.remove_writer(self._socket.fileno())
            return
        self._unwritten = self._unwritten[sent:]
        if self._unwritten:
            return
        self._loop.remove_writer(self._socket.fileno())
        if self.user is not None:
            self.user.drained()

    def _on_readable(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as reason:
            self._lose(_KINDS.get(reason.errno or 0, RESET))
            return
        if data and (user := self.user) is not None:
            user.received(data)
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        user = self.user
        if not data:
            self._lose(EOF)
        elif user is None:
            self.close()  # bytes that nobody asked for: not a connection to send the next request on
        else:
            user.received(data)

    def _lose(self, kind: str) -> None:
        user = self.user
        self.close()
        if user is not None:
            user.lost(kind)
