"""S3 as a process of the embedded cluster: moto's server, behind a check of signatures.

    python -m seatrial.dependencies.moto_process PORT

It listens on $POD_IP and takes requests that are signed with $S3_ACCESS_KEY and $S3_SECRET_KEY. Presigned addresses are
refused as unsigned.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any

from seatrial.dependencies.s3_signature import Request, refusal

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class SignedOnly:
    """Lets through what is signed with these keys."""

    def __init__(self, application: Application, access_key: str, secret_key: str) -> None:
        self._application, self._access_key, self._secret_key = application, access_key, secret_key

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        code = refusal(request_of(environ), self._access_key, self._secret_key)
        if not code:
            return self._application(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))  # else the answer would be a reset
        print(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} 403 {code}", flush=True)
        start_response("403 Forbidden", [("Content-Type", "application/xml"), ("Connection", "close")])
        said = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
        return [said.encode()]


def request_of(environ: Environ) -> Request:
    """What was signed, from a WSGI environment of werkzeug's."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    path = str(environ["RAW_URI"]).partition("?")[0]
    return Request(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), headers)


def main() -> None:
    """Serve until SIGTERM."""
    os.environ["S3_IGNORE_SUBDOMAIN_BUCKETNAME"] = "true"  # the Service's name is no bucket's
    from moto.moto_server.werkzeug_app import create_backend_app
    from werkzeug.serving import run_simple

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    keys = os.environ["S3_ACCESS_KEY"], os.environ["S3_SECRET_KEY"]
    application = SignedOnly(create_backend_app("s3"), *keys)
    run_simple(os.environ["POD_IP"], int(sys.argv[1]), application, threaded=True)


if __name__ == "__main__":
    main()
