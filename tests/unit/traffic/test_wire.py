"""Messages of any size travel in short lines of ASCII."""

import random

import pytest

from seatrial.traffic.wire import LINE_LIMIT, Decoder, Message, encode

LARGE = random.Random(1).randbytes(300_000)


def decoded(lines):
    decoder = Decoder()
    return [message for line in lines if (message := decoder.line(line)) is not None]


@pytest.mark.parametrize("payload", [b"", b"x", b"\n\x00\xff", LARGE], ids=["none", "byte", "binary", "large"])
def test_a_message_arrives_as_it_was_sent(payload):
    message = Message(7, {"op": "start", "run": "r"}, payload)
    lines = encode(message).splitlines()
    assert decoded(lines) == [message]
    assert max(map(len, lines)) < LINE_LIMIT
    assert b"".join(lines).isascii()


def test_parts_of_two_messages_may_interleave():
    one, other = Message(1, {}, LARGE), Message(2, {"op": "x"}, LARGE[::-1])
    pairs = zip(encode(one).splitlines(), encode(other).splitlines(), strict=True)
    assert decoded([line for pair in pairs for line in pair]) == [one, other]


@pytest.mark.parametrize("line", [b"hello", b"[]", b'{"id": 1}', b""])
def test_a_line_of_something_else_is_told_from_ours(line):
    with pytest.raises(ValueError):
        Decoder().line(line)


def test_a_payload_that_was_cut_short_is_no_message():
    first, *_, last = encode(Message(1, {}, LARGE)).splitlines()
    decoder = Decoder()
    decoder.line(first)
    with pytest.raises(ValueError):
        decoder.line(last)


def test_fields_too_large_for_a_line_are_refused():
    with pytest.raises(ValueError, match="expected fields below"):
        encode(Message(1, {"op": "x" * LINE_LIMIT}))
