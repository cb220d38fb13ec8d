"""HTTP as uvicorn reads it; what is not HTTP at all is refused in the same envelope as everything else."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .errors import bad_request


class Protocol(HttpToolsProtocol):
    def send_400_response(self, msg: str) -> None:
        body = bad_request("Not a valid HTTP request").body()
        head = (
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
