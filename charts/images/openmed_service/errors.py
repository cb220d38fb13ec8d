"""What a client is told when it does not get its answer: one envelope for every status that is not 2xx."""

import json
import math
from collections.abc import Mapping


class ApiError(Exception):
    """An answer other than the one asked for; `details` must never hold request text."""

    def __init__(
        self, status: int, code: str, message: str, details: object = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        error = {"code": self.code, "message": self.message, "details": self.details}
        return json.dumps({"error": error}).encode()


def bad_request(reason: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> ApiError:
    return ApiError(status, "bad_request", "Bad request", {"reason": reason}, headers)


def invalid(details: list[dict[str, str]]) -> ApiError:
    return ApiError(422, "validation_error", "Request validation failed", details)


def not_ready() -> ApiError:
    return ApiError(503, "not_ready", "Service is not ready")


def rate_limited(retry_after_s: float, key_by: str) -> ApiError:
    return ApiError(
        429,
        "rate_limited",
        "Rate limit exceeded",
        {"retry_after_seconds": round(retry_after_s, 3), "key": key_by},
        {"Retry-After": str(max(1, math.ceil(retry_after_s)))},
    )


def service_busy(max_concurrency: int, wait_s: float, key_by: str) -> ApiError:
    details = {"max_concurrency": max_concurrency, "wait_seconds": wait_s, "key": key_by}
    return ApiError(503, "service_busy", "All slots are in use", details)


def timed_out(timeout_s: float) -> ApiError:
    return ApiError(504, "timeout", "The work took too long", {"timeout_seconds": timeout_s})


def internal_error() -> ApiError:
    return ApiError(500, "internal_error", "Internal server error")


class ClientGone(Exception):
    """The caller closed its connection; there is nobody to answer."""
