"""A connection whose bytes are encrypted. It is open once the handshake is done; what fails there is of kind `tls`."""

from __future__ import annotations

import asyncio
import ssl

from seatrial.traffic.connection import READ_BYTES, RESET, Connection

TLS = "tls"


def context() -> ssl.SSLContext:
    """What this machine trusts, or the authorities in $SSL_CERT_FILE; names are checked. HTTP/1.1 is all we speak."""
    made = ssl.create_default_context()
    made.set_alpn_protocols(["http/1.1"])
    return made


class TlsConnection(Connection):
    """One encrypted connection to host:port (an address); the certificate has to be one for `server_name`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        host: str,
        port: int,
        trusted: ssl.SSLContext,
        server_name: str,
    ) -> None:
        super().__init__(loop, host, port)
        self._trusted, self._server_name = trusted, server_name

    def _established(self) -> None:
        assert self._socket is not None
        try:
            self._socket = self._trusted.wrap_socket(
                self._socket, server_hostname=self._server_name, do_handshake_on_connect=False
            )
        except OSError:  # gone again before a word was said
            self._lose(RESET)
            return
        self._loop.add_reader(self._socket.fileno(), self._shake_hands)
        self._shake_hands()

    def _shake_hands(self) -> None:
        if not isinstance(self._socket, ssl.SSLSocket):
            return
        number = self._socket.fileno()
        self._loop.remove_writer(number)
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLWantWriteError:
            self._loop.add_writer(number, self._shake_hands)
            return
        except ConnectionResetError:
            self._lose(RESET)
        except (ssl.SSLError, OSError):  # a certificate that is not trusted, or no TLS at all
            self._lose(TLS)
        else:
            super()._established()

    def _on_readable(self) -> None:
        # Bytes that OpenSSL has taken in already are not seen by the event loop: they are read now. The kernel's are
        # left to the loop's next turn, or a peer that never stops sending would keep it from all else, time limits too.
        more = True
        while more and isinstance(self._socket, ssl.SSLSocket):
            try:
                data = self._socket.recv(READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except ssl.SSLError:
                self._lose(TLS)
                return
            except OSError:
                self._lose(RESET)
                return
            self._take(data)
            more = self._socket is not None and self._socket.pending() > 0
