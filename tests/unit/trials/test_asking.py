"""What a contract's APIs are asked: the same bytes as ever for JSON, and whatever else its adapters can say."""

import hashlib
import json
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from seatrial.content import content
from seatrial.contract import Streaming, read_contract
from seatrial.errors import InputError
from seatrial.trials import workload
from seatrial.trials.asking import asking, refuse_unaskable

JSON = {"path": "/echo", "cases": {"count": 16, "request": {"n": "{i}"}, "expect": {"n": "{i}"}}}
CHAT = {
    "kind": "openai-chat",
    "model": "m",
    "streaming": True,
    "cases": {"count": 16, "request": "Say {i}", "equals": "{i} it is"},
}
SPEAKS_LINES = """
from dataclasses import dataclass
from seatrial.traffic.adapters.base import Reply, WholeReader
from seatrial.traffic.plan import Exchange

def read(status, body):
    return Reply("", body.decode())

@dataclass(frozen=True)
class Adapter:
    path: str
    generates = True
    readers = {"lines": lambda: WholeReader(read)}

    @classmethod
    def of(cls, settings):
        settings.need("lines", "path", "where lines are asked for")
        return cls(settings.path)

    def exchange(self, case, given, expect=None, tolerance=0.0):
        return Exchange(case, "GET", self.path + given["upto"], (), b"", expect, tolerance, "lines")
"""


@pytest.fixture
def read(tmp_path):
    def write_and_read(document):
        whole = {"apiVersion": "seatrial/v1", "name": "echo", **deepcopy(document)}
        (tmp_path / "contract.yaml").write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
        (tmp_path / "lines.py").write_text(SPEAKS_LINES, encoding="utf-8")
        contract = read_contract(tmp_path)
        refuse_unaskable(contract, tmp_path / "contract.yaml")
        return contract

    return write_and_read


# The same as ever


def test_the_reference_service_is_asked_with_the_same_bytes_as_before_there_were_several_apis():
    """Taken from the requests as they were written when a contract had one API, of JSON."""
    contract = read_contract(content("charts") / "openmed-service")
    *usual, tiny = workload.cases(contract)
    asked = [*usual, workload.long_case(contract, 4.68), workload.poison(contract)]
    told = [
        repr((one.case, one.method, one.path, one.headers, one.body, one.expect, one.tolerance, one.api)).encode()
        for one in asked
    ]
    assert len(asked) == 74
    assert (
        hashlib.sha256(b"\n".join(told)).hexdigest()
        == "af8d5ebb6b2ff06104b82b576b2c89174236718cdf717e6833158312d82ae581"
    )
    assert {(one.comparator, one.source, one.credentials) for one in asked} == {("subset", None, None)}
    assert tiny.body == b'{"text": "Anna"}'


def test_the_reference_services_large_case_is_near_the_most_that_it_takes_and_tells_of_its_end():
    contract = read_contract(content("charts") / "openmed-service")
    large = workload.large_case(contract)
    text = json.loads(large.body)["text"]
    most = contract.values["config"]["maxTextLength"]
    assert 0.95 * most < len(text) <= most
    assert large.expect["text"] == text
    assert [(text[found["start"] : found["end"]]) for found in large.expect["entities"]] == [
        "Sofia",
        "Turner",
        "Portland",
    ]
    assert min(found["start"] for found in large.expect["entities"]) > 0.95 * len(text)


def test_a_contract_without_a_large_case_has_none_to_ask(read):
    assert workload.large_case(read({"inference": JSON})) is None


def test_a_large_case_that_its_api_cannot_say_is_refused_by_its_key(read):
    large = {"request": "{repeat}.", "equals": "{repeat}", "repeat": {"text": "so ", "times": 9}}
    with pytest.raises(InputError, match=r"inference\.large, case large: expected `expect` or `any` of an API"):
        read({"inference": {**JSON, "large": large}})


def test_json_is_written_with_its_content_type_first_and_in_the_contracts_own_letters(read):
    contract = read({"inference": {**JSON, "headers": {"X-Twice": "1", "Content-Type": "application/vnd.mine+json"}}})
    first = workload.cases(contract)[0]
    assert first.headers == (("Content-Type", "application/vnd.mine+json"), ("X-Twice", "1"))
    assert (first.body, first.case) == (b'{"n": 0}', "case-0")


def test_a_content_type_of_ones_own_is_the_only_one_however_it_is_written(read):
    contract = read({"inference": {**JSON, "headers": {"content-type": "text/x-mine"}}})
    assert workload.cases(contract)[0].headers == (("content-type", "text/x-mine"),)


# Several


def test_the_one_marked_default_is_asked_else_the_first(read):
    other = {**JSON, "path": "/other"}
    assert workload.cases(read({"apis": {"a": JSON, "b": other}}))[0].path == "/echo"
    contract = read({"apis": {"a": JSON, "b": {**other, "default": True}}})
    assert (workload.cases(contract)[0].path, workload.cases(contract, "a")[0].path) == ("/other", "/echo")
    assert contract.place_of() == "apis.b"


def test_an_api_that_is_not_there_is_refused_with_the_nearest(read):
    with pytest.raises(InputError, match=r"api: expected one of chat, plain, found 'chta'; did you mean chat\?"):
        workload.cases(read({"apis": {"chat": CHAT, "plain": JSON}}), "chta")
    with pytest.raises(InputError, match="api: expected one of inference, found 'chat'"):
        workload.cases(read({"inference": JSON}), "chat")


def test_streams_are_asked_of_the_api_that_promises_them(read):
    contract = read({"apis": {"plain": JSON, "chat": {**CHAT, "streaming": {"usage": True, "on_drain": "error"}}}})
    assert contract.promise(Streaming) == Streaming(usage=True, on_drain="error")
    first = workload.streams(contract)[0]
    assert (first.api, first.comparator, first.expect) == ("openai-chat-stream", "equals", "0 it is")
    assert json.loads(first.body)["stream"] is True
    assert workload.cases(contract)[0].api == ""


def test_a_recorded_contract_may_have_the_longest_gap_that_nobody_promised(read):
    """Records of before have every key, and this one empty; promised, it is refused, for nothing judges it."""
    recorded = read({"inference": {**CHAT, "streaming": {"usage": True, "longest_gap_s": None}}})
    assert recorded.promise(Streaming) == Streaming(usage=True)
    with pytest.raises(InputError, match=r"inference\.streaming\.longest_gap_s: expected a key of the contract"):
        read({"inference": {**CHAT, "streaming": {"longest_gap_s": 2}}})


def test_a_contract_without_streams_makes_no_such_promise(read):
    contract = read({"apis": {"plain": JSON, "chat": {**CHAT, "streaming": False}}})
    assert contract.promise(Streaming) is None
    assert workload.cases(contract, "chat")[0].api == "openai-chat"
    with pytest.raises(InputError, match="expected an API with `streaming`"):
        workload.streams(contract)


def test_cases_and_long_cases_may_say_what_was_generated(read):
    cases = [{"request": f"Say {n}", "contains": f"{n}"} for n in range(16)]
    long = {"request": "Wait {seconds}", "equals": "waited {seconds}"}
    contract = read({"inference": {**CHAT, "cases": cases, "long": long}})
    first, waits = workload.cases(contract)[0], workload.long_case(contract, 3)
    assert (first.comparator, first.expect) == ("contains", "0")
    assert (waits.comparator, waits.expect, waits.case) == ("equals", "waited 3", "long-3")
    assert json.loads(waits.body)["messages"] == [{"role": "user", "content": "Wait 3"}]


def test_any_whole_json_is_read_by_somebody(read):
    cases = {"count": 16, "request": {"n": "{i}"}, "any": True}
    first = workload.cases(read({"inference": {**JSON, "cases": cases}}))[0]
    assert (first.api, first.comparator) == ("json", "any")


def test_an_adapter_of_ones_own_is_read_beside_the_contract_and_travels_with_its_requests(read, tmp_path):
    cases = {"count": 16, "request": {"upto": "{i} "}, "equals": "{i}"}
    contract = read({"inference": {"adapter": "lines.py", "path": "/lines/", "cases": cases}})
    first = workload.cases(contract)[0]
    assert (first.path, first.api, first.source.text) == ("/lines/0 ", "lines", SPEAKS_LINES)
    assert first.source.file == str(tmp_path / "lines.py")


@pytest.mark.parametrize("kind", ["inference", "apis"])
def test_a_contract_as_it_is_recorded_is_read_as_the_same(read, tmp_path, kind):
    cases = {"count": 16, "request": {"upto": "{i} "}, "equals": "{i}"}
    api = {"adapter": "lines.py", "path": "/lines/", "cases": cases, "streaming": {"usage": True}}
    contract = read({kind: api if kind == "inference" else {"lines": api}})
    (tmp_path / "lines.py").unlink()
    (tmp_path / "recorded.yaml").write_text(yaml.safe_dump(contract.model_dump(mode="json")), encoding="utf-8")
    again = read_contract(tmp_path / "recorded.yaml")
    assert again == contract
    assert workload.cases(again) == workload.cases(contract)


def test_a_poison_is_written_by_the_adapter_and_its_answer_is_not_read(read):
    contract = read(
        {
            "inference": CHAT,
            "batching": {"max_size": 4, "max_delay_ms": 50, "poison": {"request": "Fail", "status": 500}},
        }
    )
    poison = workload.poison(contract)
    assert (poison.api, poison.expect, json.loads(poison.body)["messages"][0]["content"]) == ("", None, "Fail")


# What is refused


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({}, "expected `inference` or `apis`, found neither"),
        ({"inference": JSON, "apis": {"a": JSON}}, "found both; move what is in `inference` into `apis`"),
        (
            {"apis": {"a": {**JSON, "default": True}, "b": {**JSON, "default": True}}},
            "apis: expected one with `default: true`, found a and b",
        ),
        ({"apis": {"a": {**JSON, "cases": [{"request": 1, "expect": 1}]}}}, "apis.a.cases: expected at least 16 cases"),
        ({"apis": {"a": {**JSON, "pth": "/"}}}, "apis.a.pth: .*did you mean `path`?"),
        ({"apis": {"a": {**JSON, "cases": {"request": 1, "coun": 2}}}}, "apis.a.cases.coun: .*did you mean `count`?"),
        ({"apis": {"a": {**JSON, "cases": "none.yaml"}}}, "apis.a.cases: expected a list of cases"),
        ({"apis": {"a": {**JSON, "kind": "openai-caht"}}}, "apis.a.kind: expected one of .*did you mean openai-chat"),
        ({"apis": {"a": {**JSON, "adapter": "mine.py"}}}, "mine.py: expected an adapter, found No such file"),
        ({"apis": {"a": {**CHAT, "adapter": "lines.py"}}}, "apis.a: expected kind or adapter, found both"),
        (
            {"inference": {"cases": JSON["cases"]}},
            "inference.path: expected where the service is asked for json",
        ),
        ({"inference": {**JSON, "streaming": True}}, "inference.streaming: expected none for json, found True"),
        ({"inference": {**JSON, "streaming": "yes"}}, "inference.streaming: expected a mapping"),
        ({"inference": {**CHAT, "method": "GET"}}, "inference.method: expected none for openai-chat, found 'GET'"),
        ({"inference": {**CHAT, "model": ""}}, "inference.model: expected the name that the server knows"),
        ({"inference": {**CHAT, "kind": "open-inference"}}, "inference.streaming: expected none for open-inference"),
        (
            {"inference": {**JSON, "cases": {"count": 16, "request": 1, "equals": "{i}"}}},
            "inference.cases, case case-0: expected `expect` or `any` of an API .* found `equals`",
        ),
        (
            {"inference": {**CHAT, "cases": {"count": 16, "request": [], "equals": "{i}"}}},
            "inference.cases, case case-0: expected `messages`",
        ),
        (
            {"inference": {**CHAT, "cases": {"count": 16, "request": "a", "equals": "{i}", "any": True}}},
            "expected one of expect, equals, contains and any, found equals and any",
        ),
        ({"inference": {**CHAT, "cases": {"count": 16, "request": "a"}}}, "inference.cases.expect: expected a value"),
        (
            {"inference": {**CHAT, "long": {"request": {"messages": []}, "any": True}}},
            "inference.long, case long-4: expected `messages`",
        ),
        ({"inference": {**JSON, "credentials": {}}}, "inference.credentials: expected a secret .* found neither"),
        (
            {"inference": {**JSON, "credentials": {"secret": {"nam": "a", "key": "b"}}}},
            "inference.credentials.secret.nam: .*did you mean `name`",
        ),
        ({"inference": {**JSON, "adapter": "lines.py", "path": ""}}, "inference.path: expected where lines are asked"),
        (
            {"inference": {**JSON, "adapter": "lines.py"}},
            r"inference.cases, .*lines.py, line 21: expected an adapter that works, found KeyError: 'upto'",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_place(read, tmp_path, document, told):
    with pytest.raises(InputError, match=told) as refused:
        read(document)
    assert str(refused.value).startswith(f"{tmp_path}/")


LINES = {"adapter": "lines.py", "path": "/lines/", "cases": {"count": 16, "request": {"upto": "a"}, "any": True}}


def test_an_adapter_that_does_not_load_is_refused_where_it_is_named(read, tmp_path):
    contract = read({"inference": LINES})
    (tmp_path / "lines.py").write_text("a = 1\nb = a / 0\n", encoding="utf-8")
    broken = read_contract(tmp_path)
    assert broken != contract
    with pytest.raises(InputError, match=r"contract.yaml, inference.adapter: .*lines.py, line 2: .*ZeroDivisionError"):
        refuse_unaskable(broken, Path("contract.yaml"))


def test_an_adapter_that_ends_the_program_when_it_is_to_write_is_refused_with_its_line(read, tmp_path):
    contract = read({"inference": LINES})
    text = SPEAKS_LINES.replace("return Exchange(", "raise SystemExit(0) or (")
    adapter = contract.inference.adapter.model_copy(update={"text": text})
    api = contract.inference.model_copy(update={"adapter": adapter})
    with pytest.raises(InputError, match=r"lines\.py, line 21: .* found SystemExit: 0 when it was to write a request"):
        asking(contract.model_copy(update={"inference": api})).cases()


def test_a_date_in_yaml_is_no_json_and_is_told_as_that(read):
    cases = [{"request": yaml.safe_load("2026-01-01"), "expect": n} for n in range(16)]
    with pytest.raises(InputError, match=r"case case-0: expected a request that JSON can say, found .*date"):
        read({"inference": {**JSON, "cases": cases}})


def test_an_adapters_exchange_has_to_be_one(read):
    contract = read({"inference": LINES})
    text = SPEAKS_LINES.replace("return Exchange(", "return (")
    adapter = contract.inference.adapter.model_copy(update={"text": text})
    api = contract.inference.model_copy(update={"adapter": adapter})
    with pytest.raises(InputError, match=r"case case-0: expected its adapter to write an Exchange"):
        asking(contract.model_copy(update={"inference": api})).cases()
