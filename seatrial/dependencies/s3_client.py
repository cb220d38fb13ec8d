"""Fills an object store, from a pod beside it, over the exec API: `python -m seatrial.dependencies.s3_client`.

The first line of its input is JSON {host, port, access_key, secret_key, bucket}, each further one {key, data} with the
data in base64, the last one {}. One line answers: {"stored": N, "server": what it calls itself} or {"error": why}.
Only built-in modules are used.
"""

from __future__ import annotations

import base64
import http.client
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import quote

from seatrial.dependencies.s3_signature import Request, signed_headers

TIMEOUT_S = 30.0


def put(store: Mapping[str, Any], path: str, body: bytes) -> str:
    """PUT a bucket or an object; the server's name. Raises OSError or HTTPException for whatever is not a success."""
    host = f"{store['host']}:{store['port']}"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    request = Request("PUT", quote(path, safe="/-_.~"), "", {"host": host})
    headers = signed_headers(request, body, stamp, store["access_key"], store["secret_key"])
    connection = http.client.HTTPConnection(store["host"], store["port"], timeout=TIMEOUT_S)
    try:
        connection.request("PUT", request.path, body, headers)
        answer = connection.getresponse()
        said = answer.read().decode("utf-8", "replace")
        # A bucket that is there already is one's own: nobody else has the keys.
        if answer.status >= 300 and "BucketAlreadyOwnedByYou" not in said:
            raise http.client.HTTPException(f"{answer.status} to PUT {path}: {' '.join(said.split())[:400]}")
        return answer.headers.get("Server") or ""
    finally:
        connection.close()


def fill(lines: BinaryIO) -> dict[str, Any]:
    """Make the bucket and store what the lines bring."""
    store = json.loads(lines.readline())
    server, stored = put(store, f"/{store['bucket']}", b""), 0
    while asked := json.loads(lines.readline()):
        put(store, f"/{store['bucket']}/{asked['key']}", base64.b64decode(asked["data"]))
        stored += 1
    return {"stored": stored, "server": server}


def main() -> None:
    """Answer with what became of it."""
    try:
        said = fill(sys.stdin.buffer)
    except (OSError, http.client.HTTPException, ValueError, KeyError) as refused:
        said = {"error": f"{type(refused).__name__}: {refused}"}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
