"""Proper HTTP/1.1 answers of all kinds, and ways to cut their bytes."""

import itertools

from hypothesis import strategies as st


def byte_by_byte(data):
    return [data[at : at + 1] for at in range(len(data))]


def in_pieces(data, cuts):
    at = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[one:other] for one, other in itertools.pairwise(at)]


TOKEN = st.text("abcdefgXYZ-09", min_size=1, max_size=8)
FIELDS = st.lists(
    st.tuples(
        st.sampled_from([b"Retry-After", b"x-request-id", b"Location", b"Server", b"CONTENT-TYPE"])
        | TOKEN.map(str.encode),
        st.text(" abc;=/\t\"'ü", max_size=12).map(lambda value: value.strip().encode("latin-1")),
    ).filter(lambda field: field[0].lower() not in (b"content-length", b"transfer-encoding", b"connection")),
    max_size=4,
)  # fmt: skip
BODY = st.binary(max_size=60)


def head(status, fields, *framing):
    lines = [b"HTTP/1.1 %d Any reason" % status, *(name + b": " + value for name, value in fields), *framing]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunked(body, cuts, trailers=()):
    parts = [part for part in in_pieces(body, cuts) if part]
    sized = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in parts)
    return sized + b"0\r\n" + b"".join(name + b": " + value + b"\r\n" for name, value in trailers) + b"\r\n"


@st.composite
def answers(draw):
    """A proper final answer, how it ends, and what a reader has to find."""
    status = draw(st.integers(200, 599).filter(lambda status: status not in (204, 205, 304)))
    fields, body = draw(FIELDS), draw(BODY)
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    if framing == "length":
        data = head(status, fields, b"Content-Length: %d" % len(body)) + body
    elif framing == "chunked":
        cuts = draw(st.lists(st.integers(0, 60), max_size=4))
        data = head(status, fields, b"Transfer-Encoding: chunked") + chunked(body, cuts, draw(FIELDS))
    else:
        data = head(status, fields) + body
    interim = b"".join(
        head(status, draw(FIELDS)) for status in draw(st.lists(st.sampled_from([100, 102, 103]), max_size=2))
    )
    kept = ("retry-after", "x-request-id", "location", "content-type")
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in fields}
    headers = {name: value for name, value in headers.items() if name in kept}
    return interim + data, framing == "close", (True, status, body, len(body), headers)
