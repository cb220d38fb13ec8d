"""Events that differ in their text alone are recognised by their bytes; a stream says the same as with all parsed."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.traffic.adapters import openai, openai_chat, openai_completions

TEXTS = st.one_of(
    st.sampled_from(["a", " b", '"', "\\", "\n", "\x7f", "\u2028", "é", "😀", "", '"}', "0", "chat"]), st.text()
)
ODD = st.sampled_from(
    [
        {"choices": [{"index": 0, "delta": {"content": None}, "finish_reason": "stop"}]},
        {"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {"content": "a", "reasoning": "b"}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [1]}, "finish_reason": None}]},
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}], "usage": None},
        {"error": {"message": "no"}},
    ]
)


def chunk(text):
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    return {"id": "chat", "model": "a", "choices": [choice]}


def event(value):
    return b"data: " + orjson.dumps(value) + b"\n\n"


def read(reads, reader):
    """How many events with content each read brought, and what the whole says."""
    counts = [reader.feed(each) for each in reads]
    return counts, reader.reply(200, b"".join(reads))


def parsed_only(monkeypatch):
    monkeypatch.setattr(openai, "alike", lambda *_: None)


@given(st.lists(st.one_of(TEXTS.map(chunk), TEXTS.map(chunk), ODD), max_size=12), st.booleans())
def test_a_stream_says_the_same_whether_its_events_are_recognised_or_parsed(values, ends):
    reads = [event(value) for value in values] + [b"data: [DONE]\n\n"] * ends
    with pytest.MonkeyPatch.context() as monkeypatch:
        recognised = read(reads, openai_chat.reader())
        parsed_only(monkeypatch)
        assert recognised == read(reads, openai_chat.reader())


@given(st.lists(TEXTS, min_size=2, max_size=8), st.data())
def test_it_does_so_however_the_bytes_are_cut(texts, data):
    whole = b"".join(event(chunk(text)) for text in texts) + b"data: [DONE]\n\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    reads = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    with pytest.MonkeyPatch.context() as monkeypatch:
        recognised = read(reads, openai_chat.reader())
        parsed_only(monkeypatch)
        assert recognised == read(reads, openai_chat.reader())


@pytest.mark.parametrize(
    ("reader", "made"),
    [
        (openai_chat.reader, chunk),
        (openai_completions.reader, lambda text: {"id": "c", "choices": [{"index": 0, "text": text}]}),
    ],
    ids=["chat", "completions"],
)
def test_of_events_that_differ_in_their_text_alone_the_first_is_parsed(reader, made, monkeypatch):
    asked = []
    monkeypatch.setattr(openai, "piece", lambda *given, real=openai.piece: asked.append(1) or real(*given))
    counts, _ = read([event(made(f"word {number}")) for number in range(10)], reader())
    assert counts == [1] * 10
    assert len(asked) == 1


@pytest.mark.parametrize(
    "second",
    [
        event(chunk("b"))[:-1],
        event(chunk("b")) + event(chunk("c")),
        event(chunk("b")).replace(b'"b"', b'"\xff"'),
        event(chunk("b")).replace(b'"b"', b'"\x01"'),
        event(chunk("b")).replace(b'"b"', b'"\\"'),
        event(chunk("b")).replace(b'"b"', b'"b"b"'),
    ],
    ids=["cut", "two", "no UTF-8", "a control character", "an open escape", "a quote"],
)
def test_bytes_that_are_not_one_such_event_are_parsed(second, monkeypatch):
    reads = [event(chunk("a")), second, b"\n\n", b"data: [DONE]\n\n"]
    recognised = read(reads, openai_chat.reader())
    parsed_only(monkeypatch)
    assert recognised == read(reads, openai_chat.reader())


def test_nothing_is_recognised_after_the_end(monkeypatch):
    counts, reply = read(
        [event(chunk("a")), event(chunk("b")), b"data: [DONE]\n\n", event(chunk("c"))], openai_chat.reader()
    )
    assert counts == [1, 1, 0, 0]
    assert reply.text == "ab"


def test_a_stream_whose_events_all_differ_is_not_searched_for_ever(monkeypatch):
    tried = []
    monkeypatch.setattr(openai, "alike", lambda *given, real=openai.alike: tried.append(1) or real(*given))
    reads = [event({**chunk("a"), "obfuscation": "x" * number}) for number in range(50)]
    assert read(reads, openai_chat.reader())[0] == [1] * 50
    assert len(tried) == 3
