"""Which web pages may call from a browser: those of exactly the listed origins, none by default."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from .errors import bad_request

METHODS = "GET, POST"
HEADERS = "Accept, Accept-Language, Content-Language, Content-Type, X-Request-ID"


class Cors:
    def __init__(self, origins: Sequence[str]) -> None:
        self.origins = frozenset(origins)

    def is_preflight(self, request: Request) -> bool:
        headers = request.headers
        return request.method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers

    def preflight(self, request: Request) -> Response:
        """Raises ApiError 400 for an origin that is not listed."""
        if request.headers["origin"] not in self.origins:
            raise bad_request("Origin is not allowed")
        grant = {"Access-Control-Allow-Methods": METHODS, "Access-Control-Allow-Headers": HEADERS}
        return Response(headers=grant | {"Access-Control-Max-Age": "600"})

    def grant(self, request: Request, response: Response) -> None:
        if not self.origins:
            return
        response.headers["Vary"] = "Origin"
        origin = request.headers.get("origin")
        if origin in self.origins:
            response.headers["Access-Control-Allow-Origin"] = str(origin)
