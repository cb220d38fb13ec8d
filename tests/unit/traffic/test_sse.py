"""What bytes are as an event stream (WHATWG HTML, 9.2.6), however they are cut."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seatrial.traffic.sse import Event, EventStream

BOM = b"\xef\xbb\xbf"


def events(body):
    return EventStream().feed(body)


def data_of(body):
    return [event.data for event in events(body)]


def fed(pieces, limit_bytes=1024):
    """All that a stream tells when fed with these pieces."""
    stream = EventStream(limit_bytes)
    found = [event for piece in pieces for event in stream.feed(piece)]
    return found, stream.error, stream.unfinished and not stream.error


def completed_at(body):
    """How many bytes there have been when each event is told, where they come one by one."""
    stream = EventStream()
    return [at + 1 for at in range(len(body)) for _ in stream.feed(body[at : at + 1])]


def in_pieces(body, cuts):
    at = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    return [body[one:other] for one, other in itertools.pairwise(at)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [b"YHOO\n+2\n10"]),
        (b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
         [b"first event", b"second event", b" third event"]),
        (b"data\n\ndata\ndata\n\ndata:", [b"", b"\n"]),
        (b"data:test\n\ndata: test\n\n", [b"test", b"test"]),
    ],
    ids=["lines joined by LF", "comment, fields, one leading space", "fields without a colon", "the space is optional"],
)  # fmt: skip
def test_the_examples_of_the_standard(body, expected):
    assert data_of(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\n\r\n\rdata: b\r\n\n", [b"a", b"b"]),
        (b"data: a\x0bb\x0c\xc2\x85\xe2\x80\xa8c\n\n", ["a\x0bb\x0c\x85\u2028c".encode()]),
        (BOM + b"data: a\n\n", [b"a"]),
        (b"\n" + BOM + b"data: a\n\n", []),
        (BOM + BOM + b"data: a\n\n", []),
        (b"Data: a\n\n", []),
        (b" data: a\n\n", []),
        (b"data : a\n\n", []),
        (b"foo: a\ndata: b\n\n", [b"b"]),
        (b": data: a\n\n:\n\n", []),
        (b"event: a\n\nid: 1\n\n", []),
        (b"data: a: b\n\n", [b"a: b"]),
        (b"data: a\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\n\nevent: b\n\ndata: c\n\n", [b"a", b"c"]),
        (b"data: a\n\n:keep\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\n", []),
        (b"", []),
    ],
)
def test_lines_and_fields(body, expected):
    assert data_of(body) == expected


def test_an_event_carries_its_type_and_the_latest_id_and_retry():
    body = b"retry: 10\nid: 7\nevent: token\ndata: a\n\ndata: b\n\nid\nretry: 1x\ndata: c\n\nid: 8\0\ndata: d\n\n"
    assert events(body) == [
        Event(b"a", "token", "7", 10),
        Event(b"b", "message", "7", 10),
        Event(b"c", "message", "", 10),
        Event(b"d", "message", "", 10),
    ]
    assert completed_at(body) == [38, 47, 69, 85]


def test_an_id_is_taken_over_from_a_block_without_data():
    assert events(b"id: 3\n\ndata: a\n\n")[0].last_id == "3"


def test_the_end_of_an_event_is_the_byte_that_completes_it():
    assert completed_at(b"data: a\n\ndata: b\r\n\r\ndata: c\r\r") == [9, 19, 29]


def test_an_event_without_its_blank_line_is_lost_and_the_stream_was_cut():
    assert fed([b"data: a\n\ndata: [DONE]\n"]) == ([Event(b"a")], "", True)
    assert fed([b"data: a\n\n: ping\n"]) == ([Event(b"a")], "", False)


FRAGMENTS = st.lists(
    st.sampled_from(
        [b"data: ", b"data:", b"data", b"event: x", b"id: 1", b"id", b"retry: 5", b":", b" ", b"\n", b"\n\n", b"\r",
         b"\r\n", b"\r\n\r\n", BOM, b'{"a": 1}', "é€".encode(), b"\xff", b"\0", b"x" * 30,
         b'data: {"b": 2}\n\n', b"data: c\r\n\r\n"]
    ),
    max_size=30,
).map(b"".join)  # fmt: skip
CUTS = st.lists(st.integers(0, 300), max_size=12)


@given(FRAGMENTS, CUTS, st.sampled_from([16, 40, 1024]))
@example(b"data: a\r\n\r\ndata: b\n\n", range(30), 1024)
@example(BOM + b"data: a\n\n", [1, 2], 16)
@example(BOM, [], 1024)
def test_how_a_stream_is_cut_changes_nothing(body, cuts, limit):
    whole = fed([body], limit)
    assert fed(in_pieces(body, cuts), limit) == whole
    assert fed([body[at : at + 1] for at in range(len(body))], limit) == whole


@given(FRAGMENTS)
def test_the_parser_and_the_standards_own_steps_agree(body):
    assert [(event.data.decode("utf-8", "replace"), event.type, event.last_id, event.retry_ms)
            for event in events(body)] == by_the_letter(body)  # fmt: skip


def by_the_letter(body):
    """The steps of the standard, in its order and on decoded text."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]
    found, data, kind, last_id, retry = [], "", "", "", None
    for line in lines:
        if not line:
            if data:
                found.append((data.removesuffix("\n"), kind or "message", last_id, retry))
            data = kind = ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data += value + "\n"
        elif field == "event":
            kind = value
        elif field == "id" and "\0" not in value:
            last_id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            retry = int(value)
    return found


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"data: " + b"x" * 100, "a line"),
        (b":" + b"x" * 100 + b"\n\n", "a line"),
        (b"data: " + b"x" * 100 + b"\n\n", "a line"),
        (b"data: " + b"x" * 20 + b"\n" + (b"data: " + b"x" * 20 + b"\n") * 4, "the data of an event"),
        (b"data\n" * 100, "the data of an event"),
    ],
)
def test_a_line_or_an_event_without_end_is_an_error_and_what_came_before_counts(body, what):
    stream = EventStream(limit_bytes=64)
    assert stream.feed(b"data: a\n\n" + body) == [Event(b"a")]
    assert stream.error == f"{what} of the event stream: expected at most 64 bytes, found more"
    assert stream.feed(b"data: b\n\n") == []


@pytest.mark.parametrize(("size", "taken"), [(58, 1), (59, 0)])
def test_a_line_may_have_exactly_the_limit(size, taken):
    assert len(EventStream(limit_bytes=64).feed(b"data: " + b"x" * size + b"\n\n")) == taken


def test_comments_without_end_are_no_error():
    stream = EventStream(limit_bytes=64)
    for _ in range(1000):
        assert stream.feed(b": ping\n") == []
    assert stream.feed(b"data: a\n\n") == [Event(b"a")]


def test_an_endless_line_is_kept_no_further_than_the_limit():
    stream = EventStream(limit_bytes=1000)
    for _ in range(100):
        stream.feed(b"x" * 100)
    assert stream.error
    assert len(stream._line) == 0
