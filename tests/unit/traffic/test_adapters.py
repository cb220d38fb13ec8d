"""What an API's requests look like, and when an answer of it is whole and proper."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import InputError
from seatrial.ledger import RIGHT, UNJUDGED, WRONG
from seatrial.traffic.adapters import openai, openai_chat
from seatrial.traffic.adapters.apis import read, reader_of
from seatrial.traffic.adapters.base import judge
from seatrial.traffic.adapters.open_inference import OpenInference
from seatrial.traffic.adapters.openai_chat import OpenAIChat
from seatrial.traffic.adapters.openai_completions import OpenAICompletions
from seatrial.traffic.adapters.plain_json import PlainJson
from seatrial.traffic.sse import EventStream

TENSOR = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2], [3, 4]]}
USAGE = {"prompt_tokens": 9, "completion_tokens": 16, "total_tokens": 25}

ALL = {
    "chat stream": (OpenAIChat("m"), "Hello"),
    "chat": (OpenAIChat("m", streaming=False), "Hello"),
    "completions stream": (OpenAICompletions("m"), "Hello"),
    "completions": (OpenAICompletions("m", streaming=False), "Hello"),
    "open inference": (OpenInference("m"), [TENSOR]),
    "plain": (PlainJson("/predict"), {"a": 1}),
}


def said(adapter, status, body):
    return read(adapter.api, status, body)


def stream(*chunks, end=b"data: [DONE]\n\n"):
    return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + end


def delta(finish=None, index=0, **fields):
    return {"object": "chat.completion.chunk", "id": "c1", "usage": None,
            "choices": [{"index": index, "delta": fields, "finish_reason": finish}]}  # fmt: skip


def tokens(choice_text, finish=None):
    return {"object": "text_completion", "choices": [{"index": 0, "text": choice_text, "finish_reason": finish}]}


CHAT = (delta(role="assistant", content=""), delta(content="Hel"), delta(content="lo"), delta(finish="stop"))
COUNTED = {"object": "chat.completion.chunk", "choices": [], "usage": USAGE}


# The requests.


@pytest.mark.parametrize("name", ALL)
def test_every_adapter_writes_a_post_of_json_for_its_case(name):
    adapter, given_ = ALL[name]
    exchange = adapter.exchange("c", given_, expect={"a": 1}, tolerance=0.5)
    assert (exchange.case, exchange.method, exchange.expect, exchange.tolerance) == ("c", "POST", {"a": 1}, 0.5)
    assert ("content-type", "application/json") in [(name.lower(), value) for name, value in exchange.headers]
    assert isinstance(json.loads(exchange.body), dict)
    assert exchange.path.startswith("/")


def test_a_chat_stream_asks_for_usage_too():
    exchange = OpenAIChat("m", parameters={"max_tokens": 4}).exchange("c", "Hi")
    assert exchange.path == "/v1/chat/completions"
    assert json.loads(exchange.body) == {
        "model": "m", "stream": True, "stream_options": {"include_usage": True}, "max_tokens": 4,
        "messages": [{"role": "user", "content": "Hi"}],
    }  # fmt: skip


def test_a_case_wins_over_the_parameters_and_none_leaves_one_out():
    adapter = OpenAIChat("m", parameters={"max_tokens": 4, "stream_options": None})
    body = json.loads(adapter.exchange("c", {"messages": [{"role": "user", "content": "a"}], "max_tokens": 9}).body)
    assert body == {"model": "m", "stream": True, "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}


def test_completions_without_a_stream():
    exchange = OpenAICompletions("m", streaming=False, headers={"Authorization": "Bearer k"}).exchange("c", [1, 2])
    assert (exchange.path, json.loads(exchange.body)) == ("/v1/completions", {"model": "m", "prompt": [1, 2]})
    assert ("authorization", "Bearer k") in exchange.headers


@pytest.mark.parametrize(
    ("adapter", "path"),
    [
        (OpenInference("iris"), "/v2/models/iris/infer"),
        (OpenInference("a b/c", version="2"), "/v2/models/a%20b%2Fc/versions/2/infer"),
    ],
)
def test_the_open_inference_protocol_names_the_model_in_the_path(adapter, path):
    exchange = adapter.exchange("c", [TENSOR])
    assert (exchange.path, json.loads(exchange.body)) == (path, {"inputs": [TENSOR]})


@pytest.mark.parametrize(
    ("adapter", "given_", "told"),
    [
        (OpenAIChat("m"), [], "c: expected `messages`"),
        (OpenAIChat("m"), {"max_tokens": 3}, "c: expected `messages`"),
        (OpenAIChat("m"), {"messages": [1], "stream": False}, "c, stream: expected True"),
        (OpenAICompletions("m", streaming=False), {"prompt": "a", "stream": True}, "c, stream: expected False"),
        (OpenAICompletions("m"), {"prompt": {1, 2}}, "c: expected a request that JSON can say"),
        (OpenInference("m"), [], "c: expected one input tensor"),
        (OpenInference("m"), {"outputs": []}, "c: expected one input tensor"),
        (OpenInference("m"), [{"name": "x"}], r"c, inputs\[0\]: expected a tensor"),
        (OpenInference("m"), [{**TENSOR, "shape": [3]}], r"c, inputs\[0\]: data: expected 3 elements .* found 4"),
        (OpenInference("m"), [{**TENSOR, "data": 1}], r"c, inputs\[0\]: data: expected a list, found int"),
        (OpenInference("m"), [{**TENSOR, "shape": [True]}], r"c, inputs\[0\]: shape"),
    ],
)
def test_a_case_that_cannot_be_asked_is_bad_input(adapter, given_, told):
    with pytest.raises(InputError, match=told):
        adapter.exchange("c", given_)


# Streams.


def test_a_whole_chat_stream_is_read_as_the_answer_without_streaming():
    body = stream(*CHAT, COUNTED)
    reply = said(OpenAIChat("m"), 200, body)
    assert (reply.problem, reply.text, reply.input_tokens, reply.output_tokens) == ("", "Hello", 9, 16)
    assert reply.reported
    assert reply.value == {
        "object": "chat.completion", "id": "c1", "usage": USAGE,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    }  # fmt: skip


def test_only_events_with_content_count_and_each_does_at_its_last_byte():
    body = stream(*CHAT, COUNTED)
    reader = openai_chat.reader()
    counted = [at for at in range(len(body)) if reader.feed(body[at : at + 1])]
    ends = [len(stream(*CHAT[:n], end=b"")) - 1 for n in range(1, 5)]
    assert counted == [ends[1], ends[2]]
    assert openai_chat.reader().feed(body) == 2


def test_without_usage_the_events_with_content_are_counted():
    reply = said(OpenAIChat("m"), 200, stream(*CHAT))
    assert (reply.output_tokens, reply.reported, reply.input_tokens) == (2, False, None)


@pytest.mark.parametrize(("reported", "taken"), [(2**31 - 1, 2**31 - 1), (2**31, None), (-1, None), (True, None)])
def test_a_count_that_no_row_could_hold_is_none(reported, taken):
    chunks = [*CHAT, {"choices": [], "usage": {"prompt_tokens": reported}}]
    assert said(OpenAIChat("m"), 200, stream(*chunks)).input_tokens == taken


def test_usage_in_every_chunk_is_counted_once():
    chunks = [{**chunk, "usage": {"prompt_tokens": 1, "completion_tokens": n}} for n, chunk in enumerate(CHAT)]
    assert said(OpenAIChat("m"), 200, stream(*chunks)).output_tokens == 3


def test_the_choices_of_a_stream_are_kept_apart():
    reply = said(OpenAIChat("m"),
        200,
        stream(delta(content="a"), delta(content="x", index=1), delta(content="b", finish="stop"),
               delta(content="y", finish="length", index=1)),
    )  # fmt: skip
    assert (reply.problem, reply.text, reply.output_tokens) == ("", "ab", 4)
    assert [choice["message"]["content"] for choice in reply.value["choices"]] == ["ab", "xy"]


def test_the_parts_of_a_tool_call_are_joined_and_are_content():
    call = {"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}
    reply = said(OpenAIChat("m"),
        200,
        stream(delta(tool_calls=[call]), delta(tool_calls=[{"index": 0, "function": {"arguments": '{"a"'}}]),
               delta(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}]), delta(finish="tool_calls")),
    )  # fmt: skip
    assert reply.value["choices"][0]["message"]["tool_calls"] == [
        {**call, "function": {"name": "f", "arguments": '{"a": 1}'}}
    ]
    assert (reply.problem, reply.output_tokens, reply.text) == ("", 3, "")


def test_a_completions_stream():
    reply = said(OpenAICompletions("m"), 200, stream(tokens("Hel"), tokens("lo"), tokens("", "length")))
    assert (reply.problem, reply.text, reply.output_tokens) == ("", "Hello", 2)
    assert reply.value["choices"] == [{"index": 0, "text": "Hello", "finish_reason": "length"}]


@pytest.mark.parametrize(
    ("chunk", "kind"),
    [
        (delta(content="a"), "content"),
        (delta(reasoning_content="hm"), "content"),
        (delta(refusal="no"), "content"),
        (delta(role="assistant", content=""), "empty"),
        (delta(finish="stop"), "empty"),
        ({"choices": [], "prompt_filter_results": []}, "empty"),
        (COUNTED, "usage"),
        ({"choices": None, "usage": USAGE}, "usage"),
        ({"error": {"message": "gone"}}, "error"),
        ({"object": "error", "message": "gone"}, "error"),
        ([1], "error"),
    ],
)
def test_what_one_event_of_a_chat_stream_is(chunk, kind):
    (event,) = EventStream().feed(stream(chunk, end=b""))
    assert openai.piece(event, openai_chat.generated).kind == kind


def test_the_end_mark_is_no_json():
    (event,) = EventStream().feed(b"data: [DONE]\n\n")
    assert openai.piece(event, openai_chat.generated).kind == "done"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (stream(*CHAT, end=b""), "the stream ended without [DONE]"),
        (stream(*CHAT, end=b"data: [DONE]\n"), "the stream ended within an event"),
        (stream(*CHAT[:-1]), "choice 0 has no finish_reason"),
        (stream(), "expected one choice or more, found none"),
        (stream(COUNTED), "expected one choice or more, found none"),
        (stream(*CHAT[:2], {"error": {"message": "out of memory", "code": 500}}), "error in the stream: out of memory"),
        (stream(*CHAT, {"error": "late"}), "error in the stream: late"),
        (stream(*CHAT[:2], end=b"event: error\ndata: overloaded\n\ndata: [DONE]\n\n"), "error in the stream"),
        (stream(*CHAT[:2], end=b"data: {\n\ndata: [DONE]\n\n"), "expected a JSON object in each event"),
        (b"", "expected an event stream, found 0 bytes"),
        (b'{"error": {"message": "no such model"}}', "error object: no such model"),
        (orjson.dumps({"choices": []}), "expected an event stream"),
        (b"<html>", "expected an event stream, found 6 bytes that begin '<html>'"),
        (stream(delta(content="a", finish="stop"), delta(content="b", index=1)), "choice 1 has no finish_reason"),
    ],
    ids=str,
)
def test_a_stream_without_its_proper_end_is_never_a_success(body, told):
    reply = said(OpenAIChat("m"), 200, body)
    assert told in reply.problem
    assert judge(reply, {"choices": []}, 0.0) == WRONG
    assert judge(reply, None, 0.0) == WRONG


def test_a_stream_that_broke_still_tells_what_had_come():
    reply = said(OpenAIChat("m"), 200, stream(*CHAT[:3], {"error": {"message": "gone"}}))
    assert (reply.text, reply.output_tokens, reply.reported) == ("Hello", 2, False)


def test_nothing_is_read_after_the_end_mark():
    assert said(OpenAIChat("m"), 200, stream(*CHAT) + b"data: {\n\n").problem == ""


@given(st.integers(0, 600))
def test_a_chat_stream_cut_anywhere_before_its_end_is_not_whole(cut):
    body = stream(*CHAT, COUNTED)
    reply = said(OpenAIChat("m"), 200, body[: min(cut, len(body) - 1)])
    assert reply.problem


# Answers without streaming.


def test_a_chat_answer():
    body = {"choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}], "usage": USAGE}
    reply = said(OpenAIChat("m", streaming=False), 200, orjson.dumps(body))
    assert (reply.problem, reply.text, reply.input_tokens, reply.output_tokens) == ("", "Hello", 9, 16)
    assert reader_of("openai-chat")().feed(orjson.dumps(body)) == 0  # its events would be timed


def test_without_usage_and_without_events_the_tokens_are_not_known():
    body = {"choices": [{"index": 0, "text": "Hello", "finish_reason": "stop"}]}
    reply = said(OpenAICompletions("m", streaming=False), 200, orjson.dumps(body))
    assert (reply.problem, reply.text, reply.output_tokens) == ("", "Hello", None)


def test_tensors():
    body = {"model_name": "m", "outputs": [TENSOR]}
    assert said(OpenInference("m"), 200, orjson.dumps(body)).value == body


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": "no such model"}, "error object: no such model"),
        ({"outputs": []}, "expected output tensors, found none"),
        ([], "expected output tensors, found none"),
        ({"outputs": [{"name": "y"}]}, "outputs[0]: expected a tensor"),
        ({"outputs": [{**TENSOR, "data": [1]}]}, "outputs[0]: data: expected 4 elements for the shape [2, 2], found 1"),
    ],
)
def test_an_answer_without_its_tensors_is_never_a_success(body, told):
    assert told in said(OpenInference("m"), 200, orjson.dumps(body)).problem


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (429, b'{"error": {"message": "slow down"}}', "status 429: slow down"),
        (503, b"upstream connect error", "status 503"),
        (500, b"", "status 500"),
    ],
)
def test_every_adapter_tells_the_status_and_the_message_of_a_refusal(name, status, body, told):
    assert said(ALL[name][0], status, body).problem == told


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["choices", "delta", "message", "content", "text", "index", "finish_reason", "usage", "error",
                         "completion_tokens", "prompt_tokens", "outputs", "name", "shape", "datatype", "data", "object",
                         "tool_calls", "function"]),
        inner, max_size=5),
    max_leaves=20,
)  # fmt: skip
CHUNKS = st.lists(
    JSON
    | st.builds(
        lambda parts: {"choices": parts},
        st.lists(
            st.fixed_dictionaries({}, optional={"index": JSON, "delta": JSON, "text": JSON, "finish_reason": JSON}),
            max_size=3,
        ),
    ),
    max_size=4,
)


@pytest.mark.parametrize("name", ALL)
@given(chunks=CHUNKS, raw=st.binary(max_size=40), status=st.sampled_from([200, 204, 400, 500]))
def test_whatever_a_server_sends_is_a_finding_and_no_exception(name, chunks, raw, status):
    adapter = ALL[name][0]
    bodies = [raw, stream(*chunks), stream(*chunks, end=raw), *(orjson.dumps(chunk) for chunk in chunks)]
    for body in bodies:
        reply = said(adapter, status, body)
        assert status < 300 or reply.problem
        assert judge(reply, {"a": 1}, 0.0) in (RIGHT, WRONG)


def nested(depth):
    return b'{"choices": [{"delta": ' + b'{"a": ' * depth + b"1" + b"}" * depth + b"}]}"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "body",
    [
        b"data: " + nested(1000) + b"\n\ndata: " + nested(1000) + b"\n\n",
        b'{"error": ' + b"[" * 1000 + b"]" * 1000 + b"}",
        b'{"outputs": [{"name": 1, "datatype": 1, "data": [], "shape": ' + b"[" * 900 + b"]" * 900 + b"}]}",
        orjson.dumps({"outputs": [{"name": 1, "datatype": 1, "data": [], "shape": [2**63] * 400}]}),
        orjson.dumps({"error": "x" * 10_000}),
    ],
    ids=["deep chunks", "deep error", "deep shape", "vast shape", "long error"],
)
def test_a_message_stays_short_whatever_is_told_of(name, body):
    assert len(said(ALL[name][0], 200, body).problem) < 400


@pytest.mark.parametrize(
    ("expect", "outcome"),
    [
        (None, UNJUDGED),
        ({"choices": [{"message": {"content": "Hello"}}]}, RIGHT),
        ({"choices": [{"message": {"content": "Hell"}}]}, WRONG),
    ],
)
def test_one_expectation_judges_the_stream_and_the_answer_without_one(expect, outcome):
    streamed = said(OpenAIChat("m"), 200, stream(*CHAT))
    whole = said(OpenAIChat("m", streaming=False), 200, orjson.dumps(streamed.value))
    assert [judge(reply, expect, 0.0) for reply in (streamed, whole)] == [outcome, outcome]
