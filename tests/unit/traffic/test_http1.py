"""What bytes from a server are as an HTTP/1.1 answer, however they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.traffic.http1 import Answer, request_head
from seatrial.traffic.plan import Exchange

WHOLE = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nRetry-After: 3\r\n\r\nhello",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nRetry-After: 3\r\n\r\n"
    b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\nRetry-After: 9\r\n\r\nHTTP/1.1 200 OK\r\n"
    b"Retry-After: 3\r\nContent-Length: 5\r\n\r\nhello",
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_is_whole_at_its_last_byte_and_not_before(name):
    answer = Answer("GET")
    for at in range(len(WHOLE[name])):
        assert not answer.complete
        assert answer.feed(WHOLE[name][at : at + 1])
    assert (answer.complete, answer.status, bytes(answer.body)) == (True, 200, b"hello")
    assert answer.headers == {"retry-after": "3"}
    assert answer.received_bytes == len(WHOLE[name])


@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 300))
def test_a_stream_that_ends_early_is_not_whole(name, cut):
    data = WHOLE[name][: min(cut, len(WHOLE[name]) - 1)]
    answer = Answer("GET")
    assert answer.feed(data)
    assert not answer.end_of_stream()


def test_an_answer_without_a_length_is_whole_when_the_stream_ends():
    answer = Answer("GET")
    assert answer.feed(b"HTTP/1.1 200 OK\r\n\r\nhel")
    assert answer.feed(b"lo")
    assert not answer.complete
    assert answer.end_of_stream()
    assert answer.whole_body == b"hello"


@pytest.mark.parametrize("head", [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\n\r\n"])
def test_some_statuses_have_no_body(head):
    answer = Answer("GET")
    assert answer.feed(head)
    assert answer.complete


def test_an_answer_to_head_has_no_body_whatever_it_announces():
    answer = Answer("HEAD")
    assert answer.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert answer.complete


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
    ],
)
def test_the_answer_says_whether_the_connection_may_be_kept(head, kept):
    answer = Answer("GET")
    assert answer.feed(head)
    assert (answer.complete, answer.keep_alive) == (True, kept)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 20\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(data):
    assert not Answer("GET").feed(data)


def test_a_head_without_end_is_refused():
    answer = Answer("GET")
    taken = [answer.feed(chunk) for chunk in [b"HTTP/1.1 200 OK\r\n"] + [b"x-filler: " + b"y" * 1000 + b"\r\n"] * 100]
    assert taken[0]
    assert not taken[-1]


def test_a_body_without_end_is_counted_but_not_kept():
    answer = Answer("GET")
    answer.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(20):
        assert answer.feed(b"x" * 1024 * 1024)
    assert answer.body_bytes == 20 * 1024 * 1024
    assert len(answer.body) <= 16 * 1024 * 1024
    assert answer.whole_body is None


def test_a_request_says_how_long_it_is_and_that_it_will_not_reuse_the_connection():
    head = request_head(Exchange("a", "POST", "/x?y=1", (("X-A", "b"),), b"hello"), "web:80", close=True)
    assert head == (b"POST /x?y=1 HTTP/1.1\r\nhost: web:80\r\nX-A: b\r\ncontent-length: 5\r\nconnection: close\r\n\r\n")


def test_headers_of_the_exchange_win():
    own = (("Host", "localhost"), ("Content-Length", "99"), ("Connection", "keep-alive"))
    head = request_head(Exchange("a", "POST", "/", own, b"hello"), "web:80", close=True)
    assert head == b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\nConnection: keep-alive\r\n\r\n"


def test_a_get_on_a_kept_connection_needs_nothing_more_than_a_host():
    assert request_head(Exchange("a", "GET", "/"), "web:80", close=False) == b"GET / HTTP/1.1\r\nhost: web:80\r\n\r\n"


def test_chunks_that_the_parser_has_not_had_are_counted_and_missing_from_the_body():
    answer = Answer("GET")
    assert answer.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
    assert answer.between_chunks
    answer.pass_over(len(b"4\r\ndefg\r\n"))
    assert answer.feed(b"0\r\n\r\n")
    assert (answer.complete, answer.between_chunks, answer.whole_body, answer.body) == (True, False, None, b"abc")
    assert answer.received_bytes == 47 + 8 + 9 + 5


@pytest.mark.parametrize(
    ("more", "between"),
    [(b"", False), (b"3\r\nab", False), (b"3\r\nabc\r", False), (b"3\r\nabc\r\n", True), (b"3\r\nabc\r\n4\r\n", False),
     (b"3\r\nabc\r\n0\r\n", False), (b"3;x=y\r\nabc\r\n", True), (b"3\r\nabc\r\n0\r\n\r\n", False)],
)  # fmt: skip
def test_an_answer_stands_between_chunks_when_one_came_whole_and_no_more(more, between):
    answer = Answer("GET")
    assert answer.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + more)
    assert answer.between_chunks is between
