"""What declares nothing that can be planted is refused, with its file and what is wrong in it."""

import pytest

from seatrial.contract import read_contract
from seatrial.errors import InputError
from seatrial.faults import mutants, server
from tests.helpers.planted import GOOD, REPOSITORY, SLOW, plant, promise, rows_of

NO_ID = "from planting import fault\n@fault(breaks={'D1'})\ndef cuts(server, fired):\n    'Cuts.'\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def (", r"slow\.py: expected a Python file"),
        ("-" * 100_000 + "1", r"slow\.py: expected a Python file"),
        (NO_ID, r'slow\.py:3: expected @fault\("id", breaks=\{check ids\}\)'),
        (NO_ID.replace("(breaks", "('a', spares"), r"expected @fault\(.*found fault\('a', spares"),
        (NO_ID.replace("(breaks={'D1'}", "('a', breaks=these()"), r"literals or constants of this file, found fault\("),
        (NO_ID.replace("(breaks={'D1'}", "('a', breaks='D1'"), r"literals or constants of this file, found fault\("),
        (NO_ID.replace("(breaks={'D1'}", "('a', breaks={'D1'}, contract='P1'"), r"with contract=\{promises\} at most"),
        (NO_ID.replace("(breaks={'D1'}", "('a', breaks=()"), "expected check ids in breaks .* found no ids"),
        (NO_ID.replace("(", "('a', ", 1).replace("'Cuts.'", "pass"), "a docstring that says .* found no docstring"),
        (SLOW + SLOW, r"slow\.py:\d+: expected an id of its own, found slow-exit also at .*slow\.py:7"),
    ],
)
def test_a_server_fault_that_cannot_be_read_is_refused_with_its_line(greeter, text, message):
    with pytest.raises(InputError, match=message):
        server.declared(plant(greeter, text) / "faults")


def test_what_another_file_shares_and_plain_functions_are_no_faults(greeter):
    plant(greeter, SLOW.replace("slow-exit", "shared"), name="_hooks.py")
    plant(greeter, "import functools\n@functools.cache\ndef helper(): pass\n")
    assert server.declared(greeter / "faults") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("BREAKS", "BREAK"), "found no check ids"),
        (GOOD.replace('{"D1"}', "set()"), "found no check ids"),
        (GOOD.replace('"""Does."""', ""), "found no docstring"),
        (GOOD.replace("patch(", "patches("), "found no such patch"),
        (GOOD.replace("manifests, contract", "manifests"), "found no such patch"),
        (GOOD + "def applies_to(manifests): return True\n", r"expected applies_to\(manifests, contract\)"),
        (GOOD.replace('{"D1"}', '"D1"'), "found no check ids"),
        ("import nothing_of_that_name", "expected a mutant that imports, found ModuleNotFoundError"),
        ("import sys; sys.exit(0)", r"expected a mutant that imports, found SystemExit\(0\)"),
    ],
)
def test_a_mutant_that_does_not_say_what_it_does_is_refused(tmp_path, text, message):
    (tmp_path / "odd_one.py").write_text(text)
    with pytest.raises(InputError, match=rf"odd_one\.py: .*{message}"):
        mutants.own(tmp_path)


def test_a_shared_mutant_that_does_not_say_when_it_applies_is_refused(tmp_path):
    (tmp_path / "odd_one.py").write_text(GOOD)
    with pytest.raises(InputError, match=r"odd_one\.py: expected applies_to\(manifests, contract\)"):
        list(mutants.shared(tmp_path))
    (tmp_path / "odd_one.py").unlink()
    (tmp_path / "good.py").write_text(GOOD + "def applies_to(manifests, contract): return False\n")
    assert [mutant.applies([], None) for mutant in mutants.shared(tmp_path)] == [False]


@pytest.mark.parametrize(("asked", "error"), [("manifests[0]", "IndexError"), ("exit(0)", "SystemExit")])
def test_a_mutant_that_cannot_say_whether_it_applies_is_refused(tmp_path, asked, error):
    (tmp_path / "odd_one.py").write_text(GOOD + f"def applies_to(manifests, contract): return {asked}\n")
    (mutant,) = mutants.shared(tmp_path)
    with pytest.raises(InputError, match=rf"odd_one\.py: expected applies_to .* found that it raised {error}"):
        mutant.applies([], None)


def test_promises_that_make_no_contract_are_refused_with_what_lays_them_over_it(greeter):
    text = (
        '"""Two."""\nBREAKS = {"D5"}\nCONTRACT = {"drain": {"budget_s": "long"}}\ndef patch(manifests, contract): ...\n'
    )
    plant(greeter, text, folder="mutants", name="long.py")
    with pytest.raises(InputError, match=r"long\.py, drain\.budget_s: expected"):
        rows_of(greeter)
    (greeter / "mutants" / "long.py").unlink()
    promise(plant(greeter, SLOW.replace("ready_within_s", "ready")), "faults: {environment: slots}\n")
    with pytest.raises(InputError, match="what slow-exit lays over the contract, ready: expected"):
        rows_of(greeter)


def test_asking_whether_a_mutant_applies_changes_nothing(tmp_path):
    (tmp_path / "grabs.py").write_text(
        GOOD + "def applies_to(manifests, contract): return manifests.pop().clear() is None\n"
    )
    manifests = [{"kind": "Service"}]
    (mutant,) = mutants.shared(tmp_path)
    assert mutant.applies(manifests, None)
    assert manifests == [{"kind": "Service"}]


def test_a_mutant_may_lay_promises_over_the_contract_and_sees_them(tmp_path):
    (tmp_path / "min_typo.py").write_text(
        '"""Two."""\nBREAKS = {"A6"}\nCONTRACT = {"autoscaling": {"min": 2}}\n'
        'def patch(manifests, contract): return [*manifests, {"kind": str(contract.autoscaling.min)}]\n'
    )
    (mutant,) = mutants.own(tmp_path)
    row = mutant.row(read_contract(REPOSITORY / "charts" / "openmed-service"))
    assert row.contract == {"autoscaling": {"min": 2}}
    assert row.injection.patch([]) == [{"kind": "2"}]
