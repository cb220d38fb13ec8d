"""Signatures of S3: those of Amazon's own client are taken, and a request that was changed after signing is not."""

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from seatrial.dependencies.s3_signature import Request, refusal, signed_headers

KEY, SECRET = "minioadmin", "minio-secret"


def by_amazon(method, url, path, query, data=b""):
    """What botocore sends, as a server sees it."""
    asked = AWSRequest(method, url, data=data, headers={"Host": "minio:9000", "x-amz-meta-note": "a   b "})
    S3SigV4Auth(Credentials(KEY, SECRET), "s3", "us-east-1").add_auth(asked)
    return Request(method, path, query, {name.lower(): value for name, value in asked.headers.items()})


@pytest.mark.parametrize(
    ("method", "path", "query", "data"),
    [
        ("GET", "/models", "list-type=2&prefix=a%20b", b""),
        ("GET", "/models", "uploads", b""),
        ("PUT", "/models/a%20name%2Bx.txt", "", b"hello"),
        ("HEAD", "/models/v1/model.joblib", "", b""),
    ],
)
def test_amazons_own_signatures_are_taken(method, path, query, data):
    url = f"http://minio:9000{path}{'?' if query else ''}{query}"
    assert refusal(by_amazon(method, url, path, query, data), KEY, SECRET) == ""


def ours(**changed):
    request = Request("PUT", "/models/a", "", {"host": "minio:9000"})
    headers = signed_headers(request, b"hello", "20260131T235959Z", KEY, SECRET)
    fields = {"method": "PUT", "path": "/models/a", "query": "", "headers": headers} | changed
    return Request(**fields)


def test_our_own_signature_is_taken():
    assert refusal(ours(), KEY, SECRET) == ""


@pytest.mark.parametrize(
    "changed", [{"method": "GET"}, {"path": "/models/b"}, {"query": "acl"}], ids=lambda changed: next(iter(changed))
)
def test_a_request_that_was_changed_after_signing_is_refused(changed):
    assert refusal(ours(**changed), KEY, SECRET) == "SignatureDoesNotMatch"


def test_other_keys_and_none_are_told_apart():
    assert refusal(ours(), KEY, "another-secret") == "SignatureDoesNotMatch"
    assert refusal(ours(), "somebody", SECRET) == "InvalidAccessKeyId"
    assert refusal(ours(headers={"host": "minio:9000"}), KEY, SECRET) == "AccessDenied"
    assert refusal(ours(headers={"authorization": "Bearer x"}), KEY, SECRET) == "AccessDenied"
