"""A contract is read once; each mistake in it gives one message: file, key, what was expected, what to do."""

from copy import deepcopy

import pytest
import yaml

from seatrial.contract import Governed, governed, merged, placed, read_contract
from seatrial.errors import InputError

MINIMAL = {
    "apiVersion": "seatrial/v1",
    "name": "echo",
    "inference": {"path": "/echo", "cases": {"count": 16, "request": {"n": "{i}"}, "expect": {"n": "{i}"}}},
}
LARGE = {
    "request": {"text": "{repeat}and so it ends"},
    "expect": {"end": "it ends"},
    "repeat": {"text": "so it goes, ", "times": 100},
}


@pytest.fixture
def read(tmp_path):
    def write_and_read(**changed):
        document = deepcopy(MINIMAL)
        for path, value in changed.items():
            *parents, leaf = path.split("__")
            inner = document
            for parent in parents:
                inner = inner.setdefault(parent, {})
            inner[leaf] = value
        (tmp_path / "contract.yaml").write_text(yaml.safe_dump(document))
        return read_contract(tmp_path)

    return write_and_read


def test_a_minimal_contract_promises_no_more_than_it_says(read):
    contract = read()
    assert [case.request for case in contract.inference.cases] == [{"n": n} for n in range(16)]
    assert (contract.drain, contract.limits.rate, contract.limits.concurrency, contract.batching) == (None,) * 4
    assert not contract.probes.readiness


NUMBER = "or {value: the Helm value, set: a number}"


@pytest.mark.parametrize(
    ("changed", "key", "said"),
    [
        ({"foo": 1}, "foo", "the keys are apiVersion, name"),
        ({"drain": {"budget_s": 6, "propagaton_s": 3}}, "drain.propagaton_s", "did you mean `propagation_s`?"),
        ({"limits": {"rat": {}}}, "limits.rat", "did you mean `rate`?"),
        (
            {"limits": {"concurrency": {"limit": 4, "reject": {"status": 503, "boddy": {}}}}},
            "limits.concurrency.reject.boddy",
            "did you mean `body`?",
        ),
        ({"inference__cases__coun": 20}, "inference.cases.coun", "did you mean `count`?"),
        ({"inference__cases__count": 0}, "inference.cases.count", "1 or more, found 0"),
        ({"apiVersion": "v2"}, "apiVersion", "expected 'seatrial/v1', found 'v2'"),
        ({"name": None}, "name", "expected text, found nothing"),
        ({"port": "web"}, "port", "expected a whole number"),
        ({"inference": "x"}, "inference", "expected a mapping, found 'x'"),
        ({"inference__cases": 17}, "inference.cases", "expected a list, found 17"),
        ({"inference__method": "PATCH"}, "inference.method", "'POST', 'GET' or 'PUT', found 'PATCH'"),
        ({"inference__deadline_s": 0}, "inference.deadline_s", "more than 0, found 0"),
        ({"inference__long": {"request": "a"}}, "inference.long.expect", "expected a value, found none; add it"),
        ({"probes": {"readiness": 3}}, "probes.readiness", "found 3"),
        ({"probes": {"readiness_sheds_load": True}}, "probes", "expected readiness beside readiness_sheds_load"),
        ({"drain": {"budget_s": "soon"}}, "drain.budget_s", NUMBER),
        ({"drain": {"budget_s": -1}}, "drain.budget_s", NUMBER),
        ({"drain": {"budget_s": {"value": "a", "set": "soon"}}}, "drain.budget_s.set", "found 'soon'"),
        ({"drain": {"budget_s": {"value": "a"}}}, "drain.budget_s.set", "expected a value, found none"),
        ({"limits": {"rate": {"per_second": 0, "burst": 1}}}, "limits.rate.per_second", "more than 0, found 0"),
        (
            {"limits": {"rate": {"per_second": {"value": "r", "set": 0}, "burst": 1}}},
            "limits.rate.per_second",
            "more than 0",
        ),
        ({"restart": "kill 1"}, "restart", "expected a list, found 'kill 1'"),
        ({"inference__cases": [{"request": 1, "expect": 1}]}, "inference.cases", "at least 16 cases, found 1"),
        (
            {"inference__cases": [{"request": n, "expect": n % 15} for n in range(16)]},
            "inference.cases",
            "differ pairwise",
        ),
        ({"inference__cases__expect": "same"}, "inference.cases", "differ pairwise"),
        ({"inference__cases": "cases.yaml"}, "inference.cases", "No such file"),
        ({"inference__large": {**LARGE, "expect": None, "any": True}}, "inference.large", "give `expect`, `equals` or"),
        (
            {"inference__large": {**LARGE, "request": {"text": "ends here {repeat} "}}},
            "inference.large",
            "what is looked for after {repeat}, found nothing after it",
        ),
        ({"inference__large": {**LARGE, "request": "ends here"}}, "inference.large", "expected {repeat} in a text"),
        (
            {"inference__large": {"request": {"n": 1}, "expect": 1}},
            "inference.large",
            "longer than every case (the longest has 9 characters), found 8; raise repeat.times",
        ),
        (
            {"inference__large": {**LARGE, "repeat": {"text": "so ", "times": 1}}},
            "inference.large.repeat.times",
            "expected 2 or more",
        ),
        (
            {"inference__large": {**LARGE, "repeat": {"text": "", "times": 9}}},
            "inference.large.repeat.text",
            "at least 1",
        ),
        (
            {"inference__large": {**LARGE, "repeat": {"text": "so ", "times": 9_000_000}}},
            "inference.large.repeat",
            "at most 16777216 characters in all, found 27000000",
        ),
        ({"inference__large": {**LARGE, "repaet": {}}}, "inference.large.repaet", "did you mean `repeat`?"),
    ],
)
def test_each_mistake_gives_one_line_that_names_file_key_and_remedy(read, tmp_path, changed, key, said):
    with pytest.raises(InputError) as refused:
        read(**changed)
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(f"{tmp_path / 'contract.yaml'}, {key}: expected ")
    assert said in message
    assert ";" in message


def test_a_mistake_inside_a_governed_number_is_told_there(read):
    with pytest.raises(InputError) as refused:
        read(drain={"budget_s": {"valu": "a", "set": 1}})
    lines = str(refused.value).splitlines()
    assert ["drain.budget_s.value" in lines[0], "did you mean `value`?" in lines[1]] == [True, True]
    assert len(lines) == 2


def test_many_mistakes_of_a_kind_are_cut_short(read):
    with pytest.raises(InputError) as refused:
        read(inference__cases=[{"request": n, "expct": n} for n in range(16)])
    lines = str(refused.value).splitlines()
    assert (len(lines), lines[-1]) == (6, "and 27 more like these")
    assert "did you mean `expect`?" in lines[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "a mapping of promises, found a list"),
        ("a: [", "line 1, column 5: expected a contract in YAML"),
        ("", "found an empty file"),
        ("a: \xff", "line 1: expected a contract in UTF-8, found the byte 0xff"),
    ],
)
def test_a_file_that_is_no_contract_is_told_so(tmp_path, text, said):
    (tmp_path / "contract.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=said):
        read_contract(tmp_path)


def test_a_missing_contract_is_told_so(tmp_path):
    with pytest.raises(InputError, match="found no such file"):
        read_contract(tmp_path)
    with pytest.raises(InputError, match="found no such file"):
        read_contract(tmp_path / "elsewhere.yaml")


def test_cases_may_be_in_a_file_beside_the_contract(read, tmp_path):
    listed = [{"request": n, "expect": n * n, "name": f"n{n}"} for n in range(20)]
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump(listed))
    assert [case.expect for case in read(inference__cases="cases.yaml").inference.cases] == [n * n for n in range(20)]
    (tmp_path / "cases.yaml").write_text("a: [")
    with pytest.raises(InputError, match=r"inference\.cases: expected a list of cases"):
        read(inference__cases="cases.yaml")


def test_a_text_said_many_times_is_written_once(read):
    listed = [{"request": n, "expect": n} for n in range(15)]
    repeated = {"request": ["{repeat}.", {"n": 1}], "expect": {"text": "{repeat}.", "end": 8}}
    listed.append({**repeated, "repeat": {"text": "ab", "times": 4}})
    api = read(inference__cases=listed).inference
    name, case = api.named_cases()[-1]
    assert (name, case.request, case.right) == ("case-15", ["abababab.", {"n": 1}], {"text": "abababab.", "end": 8})
    assert api.cases[-1].request == ["{repeat}.", {"n": 1}]


@pytest.mark.parametrize("key", ["equals", "contains"])
def test_a_generated_text_may_have_it_in_it(read, key):
    large = {"request": "{repeat} How often?", key: "{repeat}", "repeat": {"text": "go ", "times": 10}}
    assert read(inference__large=large).inference.large.in_full().right == "go " * 10


def test_answers_that_differ_in_how_often_a_text_is_said_are_no_twins(read):
    def case(n):
        return {"request": "{repeat}.", "expect": "{repeat}", "repeat": {"text": "a", "times": n + 2}}

    assert len(read(inference__cases=[case(n) for n in range(16)]).inference.cases) == 16
    with pytest.raises(InputError, match="differ pairwise"):
        read(inference__cases=[case(n % 15) for n in range(16)])


def test_braces_are_only_braces_where_nothing_is_repeated(read):
    case = read(inference__cases__request={"text": "{repeat} {i}"}).inference.named_cases()[3][1]
    assert case.request == {"text": "{repeat} 3"}


def test_a_pattern_may_repeat_a_text_with_its_number(read):
    pattern = {"count": 16, "request": "{repeat}{i}", "expect": "{i}", "repeat": {"text": "{i} ", "times": 3}}
    assert read(inference__cases=pattern).inference.named_cases()[7][1].request == "7 7 7 7"


def test_a_pattern_numbers_texts_and_keeps_lone_numbers_numbers(read):
    template = {"text": "call {i} of {i}", "n": "{i}", "list": ["{i}", 1, None]}
    cases = read(inference__cases={"count": 17, "request": template, "expect": {"n": "{i}"}}).inference.cases
    assert cases[3].request == {"text": "call 3 of 3", "n": 3, "list": [3, 1, None]}


# Helm values


def test_later_layers_win_mappings_merge_and_lists_replace():
    assert merged({"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"b": 2, "c": [2]}}, {"d": None}) == {
        "a": {"b": 2, "c": [2]},
        "d": None,
    }


def test_lists_of_named_entries_merge_by_name():
    before = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    after = [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]
    assert [entry["value"] for entry in merged({"env": before}, {"env": after})["env"]] == ["1", "3", "4"]
    assert merged({"env": before}, {"env": []})["env"] == []


def test_merging_changes_none_of_its_layers():
    one = {"a": {"b": 1}, "env": [{"name": "A", "value": "1"}]}
    two = {"a": {"c": 2}, "env": [{"name": "A", "value": "2"}]}
    kept = deepcopy((one, two))
    merged(one, two)["a"]["b"] = 9
    assert (one, two) == kept


def test_governed_numbers_are_placed_at_their_paths(read):
    contract = read(
        drain={"budget_s": {"value": "config.drain", "set": 6}, "grace_s": {"value": "grace", "set": 12}},
        limits={"rate": {"per_second": {"value": "config.rps", "set": 10}, "burst": 20}},
    )
    assert placed(governed(contract)) == {"config": {"drain": 6, "rps": 10}, "grace": 12}
    assert float(contract.drain.budget_s) == 6.0
    assert placed(governed(None)) == {}


@pytest.mark.parametrize("paths", [("a", "a.b"), ("a.b", "a"), ("a.b.c", "a.b")])
def test_a_governed_value_inside_another_is_refused(paths):
    with pytest.raises(InputError, match="do not hold one another"):
        placed(Governed(value=path, set=1) for path in paths)


def test_the_contract_cannot_be_changed(read):
    with pytest.raises(ValueError, match="frozen"):
        read().name = "other"
