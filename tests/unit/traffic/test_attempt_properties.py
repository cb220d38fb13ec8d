"""What becomes of any bytes in the ledger, however they are cut into reads: one row, and the same one."""

import asyncio
import itertools

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seatrial.ledger import RIGHT, WRONG
from seatrial.traffic.adapters.openai_chat import OpenAIChat
from seatrial.traffic.attempt import Attempt
from seatrial.traffic.connection import EOF
from seatrial.traffic.plan import Exchange
from seatrial.traffic.reading import ReadingAttempt
from seatrial.traffic.recorder import Recorder
from seatrial.traffic.sender import Manner, Sender
from tests.helpers.http_answers import answers, byte_by_byte, chunked, in_pieces

GET = Exchange("get", "GET", "/", expect={"a": 1})
HEAD = Exchange("head", "HEAD", "/")
CHAT = OpenAIChat("m").exchange("hi", "Hi", expect={"choices": [{"message": {"content": "Hello, you"}}]})
CUTS = st.lists(st.integers(0, 900), max_size=8)


class Wire:
    """Stands for an open connection: takes everything, and hands on what a test feeds."""

    number, local_port, codes = 1, 2, (0, 0)

    def __init__(self):
        self.is_open, self.user = True, None

    def write(self, data):
        return True

    def close(self):
        self.is_open, self.user = False, None

    abort = retire = close


class Client:
    """Asks the same again and again, each time on an open connection."""

    def __init__(self, loop, exchange=GET, keep="all"):
        self._sender = Sender(loop, Manner("web", 60.0, reuse=True, keep=keep), Recorder())
        (self._request,) = self._sender.prepared((exchange,), "s")

    def row(self, pieces, then=EOF):
        """What the ledger has of an answer that comes in these reads, and whether the connection is kept."""
        ends, wire = [], Wire()
        kind = Attempt if self._request.reader is None else ReadingAttempt
        kind(self._sender, self._request, 0.0, 0, lambda _, kept: ends.append(kept is not None)).begin(wire)
        for piece in pieces:
            if wire.user is not None and not ends:
                wire.user.received(piece)
        if (user := wire.user) is not None and not ends:
            wire.close()
            user.lost(then)
        assert len(ends) == 1
        *_, row = self._sender.recorder.ledger(0.0)  # all are due at once, and so in the order of their ends
        told = (row.error, row.status, row.correct, row.headers, row.body, row.received_bytes)
        return (*told, row.input_tokens, row.output_tokens, row.events, ends[0])


@pytest.fixture(scope="module")
def loop():
    """Its timers are set, and never ring."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@given(made=answers(), other=answers(), cuts=CUTS)
def test_a_row_is_the_same_however_the_answer_is_cut_and_whether_its_head_is_known(loop, made, other, cuts):
    data, _, (_, status, *_) = made
    expected = Client(loop).row([data])
    assert expected[:2] == ("", status)
    assert expected[5] == len(data)
    client = Client(loop)
    client.row([other[0]])
    for pieces in ([data], [data], byte_by_byte(data), in_pieces(data, cuts), [data]):
        assert client.row(pieces) == expected


@given(made=answers(), cut=st.integers(0, 900), cuts=CUTS)
def test_an_answer_that_ends_early_is_no_answer_though_its_head_be_known(loop, made, cut, cuts):
    data, ends_with_connection, _ = made
    short = data[: min(cut, len(data) - 1)]
    client = Client(loop)
    client.row([data])
    for pieces in ([short], in_pieces(short, cuts)):
        error, *_, kept = client.row(pieces)
        assert not kept
        assert error == EOF or ends_with_connection


@given(st.binary(max_size=300), st.booleans(), CUTS, st.sampled_from([GET, HEAD, CHAT]))
@example(b"", False, [], GET)
@example(b"\r\n\r\n", False, [], GET)
def test_any_bytes_end_as_one_row_and_never_in_an_exception(loop, data, after_a_status_line, cuts, exchange):
    data = b"HTTP/1.1 200 OK\r\n" + data if after_a_status_line else data
    whole = Client(loop, exchange).row([data])
    assert whole[0] in ("", "eof", "protocol")
    cut = Client(loop, exchange).row(in_pieces(data, cuts))
    assert cut[:3] == whole[:3]


def event(value, ending):
    return b"data: " + orjson.dumps(value) + ending * 2


def delta(content, finish=None):
    return {"object": "chat.completion.chunk", "choices": [{"delta": {"content": content}, "finish_reason": finish}]}


EVENTS = [delta("Hello"), delta(""), delta(", "), delta("you", "stop"),
          {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}]  # fmt: skip


@given(
    ending=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    sizes=st.lists(st.integers(1, 400), max_size=6),
    begins=st.sampled_from([b"", b"\xef\xbb\xbf", b": hello\n"]),
    done=st.booleans(),
    as_chunks=st.booleans(),
    cuts=CUTS,
)
def test_a_stream_is_the_same_in_chunks_and_reads_of_any_size(loop, ending, sizes, begins, done, as_chunks, cuts):
    last = b"data: [DONE]" + ending * 2 if done else b""
    body = begins + b"".join(event(value, ending) for value in EVENTS) + last
    if as_chunks:
        data = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(body, itertools.accumulate(sizes))
    else:
        data = b"HTTP/1.1 200 OK\r\n\r\n" + body
    client = Client(loop, CHAT)
    expected = client.row([data])
    assert (expected[0], expected[1], expected[2] != WRONG) == ("", 200, done)
    assert expected[6:9] == (7, 5, 3)
    assert client.row(byte_by_byte(data)) == client.row(in_pieces(data, cuts)) == expected


def sized(content, upper=False, extension=b""):
    return (b"%X" if upper else b"%x") % len(content) + extension + b"\r\n" + content + b"\r\n"


def long_stream(tokens, **more):
    """A head, chunks of an event each and the last one, as reads; "Hello, you" comes after so many tokens."""
    each = [delta("a" * (1 + number % 30)) for number in range(tokens)]
    events = [event(value, b"\n") for value in (*each, *EVENTS)] + [b"data: [DONE]\n\n"]
    return [STREAM_HEAD, *(sized(one, **more) for one in events), b"0\r\n\r\n"]


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
SHAPES = [{}, {"upper": True}, {"extension": b";a=b"}]


@pytest.mark.parametrize("shape", SHAPES, ids=["lower case", "upper case", "extended"])
@pytest.mark.parametrize("keep", ["wrong", "all"])
@given(merged=st.sets(st.integers(0, 110)), cut=st.integers(0, 20_000))
@settings(max_examples=20)
def test_chunks_that_come_in_reads_of_their_own_make_the_row_that_they_make_otherwise(loop, keep, shape, merged, cut):
    reads = long_stream(100, **shape)
    data = b"".join(reads)
    client = Client(loop, CHAT, keep)
    expected = client.row([data])
    assert (expected[0], expected[1], expected[2]) == ("", 200, WRONG)
    assert expected[5:9] == (len(data), 7, 5, 103)
    assert client.row(reads) == client.row(in_pieces(data, [cut])) == expected
    assert client.row(joined_at(reads, merged)) == expected


def joined_at(reads, places):
    """These reads, some of them together with the one before."""
    found = []
    for number, read in enumerate(reads):
        if number in places and found:
            found[-1] += read
        else:
            found.append(read)
    return found


@pytest.mark.parametrize("place", [40, 41, 60, 80, 99])
@pytest.mark.parametrize(
    "between",
    [b"zz\r\n", b"0x5\r\nabcde\r\n", b" 5\r\nabcde\r\n", b"5\r\nabcdef\r\n", b"5\r\nabc\r\n", b"5\nabcde\r\n",
     b"5\r\nabcdeXY", b"\r\n", b"\r\n\r\n", b"\r\n5\r\nabcde\r\n"],
)  # fmt: skip
def test_what_is_no_chunk_is_not_taken_for_one_between_others(loop, place, between):
    reads = long_stream(100)
    spoilt = [*reads[:place], between, *reads[place:]]
    found = Client(loop, CHAT, "wrong").row(spoilt)
    assert (*found[:3], found[8]) == ("protocol", 200, WRONG, place - 1)
    assert found[:5] == Client(loop, CHAT, "wrong").row([b"".join(spoilt)])[:5]


@pytest.mark.parametrize("then", ["eof", "reset"])
def test_a_stream_cut_between_chunks_has_the_bytes_and_events_that_came(loop, then):
    reads = long_stream(100)[:80]
    error, status, correct, _, body, received_bytes, *_, events, kept = Client(loop, CHAT, "wrong").row(reads, then)
    assert (error, status, correct, events, kept) == (then, 200, WRONG, 79, False)
    assert received_bytes == sum(map(len, reads))
    assert len(body) == 4096


def test_trailers_end_a_stream_whose_chunks_came_one_by_one_and_were_longer_than_a_head_may_be(loop):
    reads = long_stream(900)
    reads[-1:] = [b"0\r\nx-took: 5\r\n", b"\r\n"]
    assert sum(map(len, reads)) > 64 * 1024
    assert Client(loop, CHAT, "wrong").row(reads)[5:] == (sum(map(len, reads)), 7, 5, 903, True)


def test_an_answer_in_chunks_that_is_no_stream_of_events_is_kept_whole_for_its_reader(loop):
    value = {"choices": [{"message": {"content": "Hello, you"}, "finish_reason": "stop"}], "more": "x" * 9000}
    whole = OpenAIChat("m", streaming=False).exchange("hi", "Hi", expect={"choices": [{"message": {}}]})
    data = orjson.dumps(value)
    reads = [STREAM_HEAD, *(sized(data[at : at + 500]) for at in range(0, len(data), 500)), b"0\r\n\r\n"]
    assert Client(loop, whole, "wrong").row(reads)[:3] == ("", 200, RIGHT)
