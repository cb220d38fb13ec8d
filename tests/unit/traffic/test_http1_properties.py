"""What holds for every answer and every way that its bytes are cut (RFC 9112, RFC 9110)."""

import itertools
import tracemalloc

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from seatrial.traffic.http1 import _BODY_LIMIT, _HEAD_LIMIT, _VALUE_LIMIT, BEGINNING_BYTES, Answer
from tests.helpers.http_answers import BODY, FIELDS, answers, byte_by_byte, chunked, head, in_pieces

OK = b"HTTP/1.1 200 OK\r\n"


def facts(answer):
    return (answer.complete, answer.status, bytes(answer.body), answer.body_bytes, answer.headers)


def read(pieces, method="GET", then_fin=False):
    """Feed as a connection does: until the answer is whole or refused. Whether it was taken, and what it is."""
    answer = Answer(method)
    for piece in pieces:
        if not answer.feed(piece):
            return False, facts(answer)
        if answer.complete:
            break
    if then_fin and not answer.complete:
        answer.end_of_stream()
    return True, facts(answer)


@given(answers(), st.lists(st.integers(0, 600), max_size=8))
def test_an_answer_is_the_same_however_its_bytes_are_cut(made, cuts):
    data, then_fin, expected = made
    for pieces in ([data], byte_by_byte(data), in_pieces(data, cuts)):
        assert read(pieces, then_fin=then_fin) == (True, expected)


@given(answers(), st.integers(0, 600))
def test_an_answer_that_is_cut_short_is_never_whole_unless_the_connection_says_its_end(made, cut):
    data, ends_with_connection, (_, status, body, *_) = made
    short = data[: min(cut, len(data) - 1)]
    taken, (complete, found_status, found, *_) = read([short], then_fin=True)
    assert taken
    assert body.startswith(found)
    if complete:
        assert ends_with_connection
        assert found_status == status


@given(answers())
def test_an_answer_to_head_is_whole_with_its_head_whatever_follows(made):
    data, _, (_, status, _, _, headers) = made
    whole = read([data], "HEAD")
    assert whole == read(byte_by_byte(data), "HEAD") == (True, (True, status, b"", 0, headers))


@given(st.sampled_from([204, 304]), FIELDS, st.sampled_from([b"Content-Length: 5", b"X: y"]), BODY)
def test_204_and_304_have_no_body_whatever_they_announce(status, fields, framing, more):
    data = head(status, fields, framing)
    for pieces in ([data], byte_by_byte(data), [data + more], byte_by_byte(data + more)):
        taken, (complete, found, body, *_) = read(pieces)
        assert (taken, complete, found, body) == (True, True, status, b"")


@given(answers(), answers() | BODY)
@example((OK + b"Content-Length: 2\r\n\r\nhi", False, (True, 200, b"hi", 2, {})), b"\0")
def test_what_follows_an_answer_is_no_part_of_it(made, more):
    data, ends_with_connection, expected = made
    assume(not ends_with_connection)
    surplus = more if isinstance(more, bytes) else more[0]
    answer = Answer("GET")
    assert answer.feed(data + surplus)
    assert facts(answer) == expected
    if surplus.strip(b"\r\n"):
        assert not answer.keep_alive


def test_the_body_of_an_answer_to_head_leaves_the_connection_out_of_step():
    answer = Answer("HEAD")
    assert answer.feed(OK + b"Content-Length: 2\r\n\r\nhi")
    assert (answer.complete, bytes(answer.body), answer.keep_alive) == (True, b"", False)


@given(FIELDS)
def test_trailers_are_not_merged_into_the_head(trailers):
    data = OK + b"Transfer-Encoding: chunked\r\nRetry-After: 3\r\n\r\n" + chunked(b"hello", [2], trailers)
    for pieces in ([data], byte_by_byte(data)):
        assert read(pieces) == (True, (True, 200, b"hello", 5, {"retry-after": "3"}))


@pytest.mark.parametrize("coding", [b"gzip", b"identity", b"chunked, gzip"])
def test_a_body_whose_last_coding_is_not_chunked_ends_with_the_connection(coding):
    """RFC 9112, 6.3, rule 4."""
    data = OK + b"Transfer-Encoding: " + coding + b"\r\n\r\nhello"
    for pieces in ([data], byte_by_byte(data)):
        taken, (complete, _, body, *_) = read(pieces, then_fin=True)
        assert (taken, complete, body) == (True, True, b"hello")
        assert read(pieces)[1][0] is False


@given(st.integers(0, 30), st.integers(0, 30))
def test_a_wrong_content_length_is_never_silently_right(announced, sent):
    data = OK + b"Content-Length: %d\r\n\r\n" % announced + b"x" * sent
    taken, (complete, _, body, *_) = read([data], then_fin=True)
    assert taken
    assert complete == (sent >= announced)
    assert len(body) == min(sent, announced)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6), st.sampled_from(["GET", "HEAD"]))
@example(bytes(range(256)), [], "GET")
@example(OK, [], "GET")
def test_garbage_is_never_a_whole_answer_and_never_an_exception(data, cuts, method):
    assume(not data.lstrip(b"\r\n").startswith(b"HTTP/"))
    whole = read([data], method, then_fin=True)
    assert whole[1][0] is False
    assert read(in_pieces(data, cuts), method, then_fin=True) == whole
    if data.strip(b"\r\n"):
        assert read([b"\0" + data], method)[0] is False


@given(st.binary(max_size=120), st.lists(st.integers(0, 200), max_size=6), st.sampled_from(["GET", "HEAD"]))
def test_garbage_after_a_status_line_is_the_same_however_it_is_cut(more, cuts, method):
    data = OK + b"Content-Length: 3\r\n" + more
    whole = read([data], method, then_fin=True)
    assert read(in_pieces(data, cuts), method, then_fin=True) == whole
    assert read(byte_by_byte(data), method, then_fin=True) == whole


@pytest.mark.parametrize(
    "data",
    [
        OK.replace(b"\r\n", b"\n") + b"Content-Length: 2\n\nhi",
        OK + b"Content-Length: 2\n\nhi",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\nhi\n0\n\n",
        OK.replace(b"\r\n", b"\r") + b"Content-Length: 2\r\rhi",
        b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 000 None\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nhi",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Content-Length : 2\r\n\r\nhi",
        OK + b"Content-Length: 99999999999999999999\r\n\r\nhi",
        OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhi",
    ],
    ids=["bare LF", "bare LF in the head", "bare LF in chunks", "bare CR", "HTTP/2.0", "HTTP/0.9", "status 099",
         "status 000", "length and chunked", "space before the colon", "length beyond 64 bits", "chunk beyond 64 bits"],
)  # fmt: skip
def test_what_is_not_http1_is_refused_however_it_is_cut(data):
    for pieces in ([data], byte_by_byte(data)):
        taken, (complete, *_) = read(pieces)
        assert (taken, complete) == (False, False)


# Bounded memory.


def padded(size):
    """A whole answer whose head has exactly this many bytes."""
    frame = OK + b"Content-Length: 2\r\nx: %b\r\n\r\n"
    return frame % (b"y" * (size - len(frame % b""))) + b"hi"


@pytest.mark.parametrize(("size", "taken"), [(_HEAD_LIMIT, True), (_HEAD_LIMIT + 1, False), (4 * _HEAD_LIMIT, False)])
def test_a_head_may_have_exactly_64_kib_however_it_is_cut(size, taken):
    data = padded(size)
    for pieces in ([data], in_pieces(data, range(0, size, 1000)), [data[:-3], data[-3:]], [data[:-2], data[-2:]]):
        assert (read(pieces)[0], read(pieces)[1][0]) == (taken, taken)


def endless(lead, again):
    """Reads of a server that never ends."""
    return itertools.chain([lead], itertools.repeat(again))


@pytest.mark.parametrize(
    ("lead", "again"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK, b"x-filler: " + b"y" * 1000 + b"\r\n"),
        (OK, b"\xff" * 1000),
        (OK + b"x: ", b"y" * 1000),
        (b"HTTP/1.1 200 ", b"O" * 1000),
        (b"", b"\r\n" * 500),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"x-filler: y\r\n"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: ", b"y" * 1000),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2;", b"e" * 1000),
    ],
    ids=["interim answers", "headers", "not a header", "a header", "a reason", "empty lines", "trailers", "a trailer",
         "a chunk extension"],
)  # fmt: skip
def test_what_never_comes_to_a_body_is_refused_and_not_kept(lead, again):
    answer = Answer("GET")
    tracemalloc.start()
    try:
        for fed, piece in enumerate(endless(lead, again)):
            if not answer.feed(piece):
                break
            assert fed < 10_000
        assert not answer.complete
        assert tracemalloc.get_traced_memory()[1] < 2 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("framing", [b"", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 99999999\r\n"])
def test_of_a_body_without_end_the_beginning_is_kept(framing):
    part = bytes(range(250)) * 4000
    answer = Answer("GET")
    assert answer.feed(OK + framing + b"\r\n")
    most = 0
    for _ in range(20):
        assert answer.feed(b"%x\r\n%b\r\n" % (len(part), part) if b"chunked" in framing else part)
        most = max(most, len(answer.body))
    assert most <= _BODY_LIMIT
    assert (answer.body_bytes, answer.whole_body) == (20 * len(part), None)
    assert answer.body == (part * 2)[:BEGINNING_BYTES]


@pytest.mark.parametrize("size", [_BODY_LIMIT, _BODY_LIMIT + 1])
@pytest.mark.parametrize("reads", [1, 3])
def test_a_body_is_kept_whole_up_to_its_limit_however_it_is_cut(size, reads):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    answer = Answer("GET")
    assert answer.feed(OK + b"Content-Length: %d\r\n\r\n" % size)
    for piece in in_pieces(body, [size * cut // reads for cut in range(1, reads)]):
        assert answer.feed(piece)
    assert (answer.complete, answer.body_bytes) == (True, size)
    if size <= _BODY_LIMIT:
        assert answer.whole_body == body
    else:
        assert (answer.whole_body, bytes(answer.body)) == (None, body[:BEGINNING_BYTES])


@pytest.mark.parametrize("size", [_VALUE_LIMIT, _VALUE_LIMIT + 1, 50_000])
def test_of_a_header_the_beginning_is_kept(size):
    """A row keeps the headers, and there are as many rows as answers."""
    answer = Answer("GET")
    assert answer.feed(OK + b"Location: " + b"x" * size + b"\r\nContent-Length: 0\r\n\r\n")
    assert answer.headers == {"location": "x" * _VALUE_LIMIT}


def test_a_body_that_trickles_in_chunks_for_long_is_no_endless_head():
    answer = Answer("GET")
    assert answer.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(30_000):
        assert answer.feed(b"1\r\nx\r\n")
    assert answer.feed(b"0\r\n\r\n")
    assert (answer.complete, answer.body_bytes) == (True, 30_000)
