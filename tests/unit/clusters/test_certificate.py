"""The certificate by which pods trust the API server."""

import socket
import ssl
import threading

import pytest

from seatrial.clusters.local.certificate import server_context


@pytest.fixture
def server():
    context, pem = server_context(["kubernetes.default.svc"], ["127.0.0.1"])
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True):
                pass
        except OSError:  # the client refused
            connection.close()

    thread = threading.Thread(target=accept)
    thread.start()
    yield listener.getsockname()[1], pem.decode()
    thread.join()
    listener.close()


def connect(server, name):
    port, pem = server
    client = ssl.create_default_context(cadata=pem)
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        client.wrap_socket(plain, server_hostname=name) as connection,
    ):
        return connection.version()


@pytest.mark.parametrize("name", ["kubernetes.default.svc", "127.0.0.1"])
def test_who_has_the_certificate_trusts_the_server_under_its_names_and_addresses(server, name):
    assert connect(server, name) in ("TLSv1.2", "TLSv1.3")


def test_under_another_name_it_is_not_trusted(server):
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        connect(server, "example.org")
