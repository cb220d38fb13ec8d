"""What the API server answers when it refuses: one exception that carries a Kubernetes `Status`.

Source: k8s.io/apimachinery/pkg/api/errors; the messages are the ones that clients match on.
"""

from __future__ import annotations

from typing import Any

from seatrial.errors import ClusterError


class StoreError(ClusterError):
    """A request that the API server refuses; `code` is the HTTP status, `reason` the StatusReason."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}

    def status(self) -> dict[str, Any]:
        """The `Status` object of the answer."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            **({"reason": self.reason} if self.reason else {}),
            **({"details": self.details} if self.details else {}),
            "code": self.code,
        }


def not_found(resource: str, name: str) -> StoreError:
    """404: there is no such object. `resource` is the full name, `deployments.apps`."""
    return StoreError(404, "NotFound", f'{resource} "{name}" not found', _details(resource, name))


def already_exists(resource: str, name: str) -> StoreError:
    """409: the name is taken."""
    return StoreError(409, "AlreadyExists", f'{resource} "{name}" already exists', _details(resource, name))


def conflict(resource: str, name: str, why: str) -> StoreError:
    """409: a precondition (resourceVersion, uid) does not hold."""
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return StoreError(409, "Conflict", message, _details(resource, name))


def forbidden(resource: str, name: str, why: str, causes: list[dict[str, str]] | None = None) -> StoreError:
    """403: admission refuses."""
    details = _details(resource, name) | ({"causes": causes} if causes else {})
    return StoreError(403, "Forbidden", f'{resource} "{name}" is forbidden: {why}', details)


def invalid(kind: str, group: str, name: str, causes: list[tuple[str, str, str]]) -> StoreError:
    """422: the object breaks a rule. Each cause is (reason, field, message), as in `field.ErrorList`."""
    lines = [f"{field}: {message}" for _, field, message in causes]
    text = lines[0] if len(lines) == 1 else "[" + ", ".join(lines) + "]"
    full = f"{kind}.{group}" if group else kind
    details: dict[str, Any] = {
        **({"name": name} if name else {}),
        **({"group": group} if group else {}),
        "kind": kind,
        "causes": [{"reason": reason, "message": message, "field": field} for reason, field, message in causes],
    }
    return StoreError(422, "Invalid", f'{full} "{name}" is invalid: {text}', details)


def bad_request(message: str) -> StoreError:
    """400: the request cannot be understood."""
    return StoreError(400, "BadRequest", message)


def gone(message: str) -> StoreError:
    """410: the resourceVersion asked for is no longer kept."""
    return StoreError(410, "Expired", message)


def _details(resource: str, name: str) -> dict[str, Any]:
    plural, _, group = resource.partition(".")
    return {"name": name, **({"group": group} if group else {}), "kind": plural}
