"""Signatures of requests to S3. Source: AWS, "Signature Version 4 for API requests". Only built-in modules are used."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Request:
    """What is signed of it. `path` is as on the wire, `query` without its question mark, names of headers are small."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


def signature(request: Request, signed: list[str], scope: str, secret_key: str) -> str:
    """In hex, over the named headers; `scope` is DATE/REGION/s3/aws4_request."""
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed)
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in _pairs(request.query))
    query = "&".join(f"{name}={value}" for name, value in pairs)
    payload = request.headers.get("x-amz-content-sha256", "")
    canonical = "\n".join([request.method, request.path, query, headers, ";".join(signed), payload])
    text = "\n".join([ALGORITHM, request.headers.get("x-amz-date", ""), scope, _sha256(canonical.encode())])
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def signed_headers(request: Request, body: bytes, stamp: str, access_key: str, secret_key: str) -> dict[str, str]:
    """The request's headers and those that sign it; `stamp` is the time as 20260131T235959Z."""
    scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    headers = {**request.headers, "x-amz-date": stamp, "x-amz-content-sha256": _sha256(body)}
    signed = sorted(headers)
    made = signature(Request(request.method, request.path, request.query, headers), signed, scope, secret_key)
    names = ";".join(signed)
    credential = f"Credential={access_key}/{scope}"
    return {**headers, "authorization": f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={made}"}


def refusal(request: Request, access_key: str, secret_key: str) -> str:
    """The error code of S3 for a request that the owner of these keys has not signed; "" for one that they have."""
    algorithm, _, rest = request.headers.get("authorization", "").partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    if algorithm != ALGORITHM or not {"Credential", "SignedHeaders", "Signature"} <= parts.keys():
        return "AccessDenied"
    key, _, scope = parts["Credential"].partition("/")
    if key != access_key:
        return "InvalidAccessKeyId"
    expected = signature(request, parts["SignedHeaders"].split(";"), scope, secret_key)
    return "" if hmac.compare_digest(expected, parts["Signature"]) else "SignatureDoesNotMatch"


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
