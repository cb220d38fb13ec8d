"""Checks and trials are found by path; what cannot be used is refused with its file."""

import pytest

from seatrial.content import content
from seatrial.errors import InputError
from seatrial.suite.registry import load_checks, load_trials, selected

CHECK = '''"""{title}"""
from seatrial.suite import check
from seatrial.trials.install import Install
from seatrial.verdict import Verdict, passed

@check("{id}", level="{level}")
def holds(seen: Install) -> Verdict:
    return passed("a", "b", n=1)
'''


def write(folder, name, id, title="Something holds.", level="MUST"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(CHECK.format(id=id, title=title, level=level))
    return folder


def test_checks_come_in_the_order_of_their_numbers(tmp_path):
    for id in ("B2", "A10", "A9", "Z"):
        write(tmp_path, f"{id.lower()}.py", id)
    assert list(load_checks(tmp_path)) == ["A9", "A10", "B2", "Z"]


def test_a_check_is_described_by_its_module_and_its_function(tmp_path):
    found = load_checks(write(tmp_path / "deep" / "er", "x.py", "X1"))["X1"]
    assert (found.title, found.name, found.level, found.source.name) == ("Something holds.", "holds", "MUST", "x.py")


def test_files_that_begin_with_an_underscore_are_no_checks(tmp_path):
    write(tmp_path, "x.py", "X1")
    write(tmp_path, "_shared.py", "X1")
    assert list(load_checks(tmp_path)) == ["X1"]


def test_an_id_given_twice_is_refused_with_both_files(tmp_path):
    write(tmp_path / "one", "x.py", "X1")
    write(tmp_path / "two", "y.py", "X1")
    for folders in ([tmp_path], [tmp_path / "one", tmp_path / "two"]):
        with pytest.raises(InputError, match=r"y\.py: expected an id of its own, found X1 also in .*x\.py"):
            load_checks(*folders)


@pytest.mark.parametrize(
    "text",
    [
        "import nothing_of_that_name",
        "def",
        "raise SystemError('no')",
        "import sys; sys.exit(0)",
        "import pytest; pytest.importorskip('nothing_of_that_name')",
    ],
)
def test_a_file_that_cannot_be_imported_is_named(tmp_path, text):
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(InputError, match=r"broken\.py: expected a check or a trial that imports"):
        load_checks(tmp_path)


def test_an_interrupt_while_a_file_is_imported_stays_an_interrupt(tmp_path):
    (tmp_path / "slow.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_checks(tmp_path)


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path):
    write(tmp_path / "one", "x.py", "X1")
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        with pytest.raises(InputError, match=f"{folder}: expected checks below this folder"):
            load_checks(tmp_path / "one", tmp_path / folder)


def test_a_check_that_another_file_imports_counts_once(tmp_path):
    write(tmp_path, "x.py", "X1")
    (tmp_path / "y.py").write_text(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom x import holds\n")
    assert list(load_checks(tmp_path)) == ["X1"]


ASKING = '''"""Something holds."""
from dataclasses import dataclass
from seatrial.contract import Concurrency, Contract, Drain, Limits, Part, Promise, RateLimit, RetryAfter, StreamingApi
from seatrial.observation import Observation
from seatrial.suite import RunObservations, check
from seatrial.trials.rate_limit import RateLimited
from seatrial.trials.install import Install
from seatrial.verdict import Verdict, passed

class Drian(Part, Promise):
    """What no contract has."""

class Unseen(Observation):
    """What no trial observes."""

@check("X1", level="MUST")
def holds({parameters}) -> Verdict:
    return passed("a", "b", n=1)
'''


def asking(folder, parameters):
    (folder / "holds.py").write_text(ASKING.format(parameters=parameters))
    return folder


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("drain: Drian, install: Install", "parameter `drain` .*, found Drian; did you mean Drain"),
        ("unseen: Unseen | None", "parameter `unseen` .* what a trial observes.*, found Unseen"),
        ("deletion: 'PodDeletoin'", "name 'PodDeletoin' is not defined; .*; did you mean PodDeletion"),
        ("drain: Drain, seen", "parameter `seen` .*, found no type; these are known: .*Api"),
        ("limit: RateLimit | Concurrency", r"parameter `limit` .* found .*RateLimit \| .*Concurrency"),
        ("part: Part", "parameter `part` .* found Part"),
        ("seen: Observation", "parameter `seen` .* found Observation"),
        ("n: int = 3", "parameter `n` to be a promise of the contract.*, found int; these are known"),
    ],
)
def test_a_parameter_that_nothing_can_be_given_for_is_refused(tmp_path, parameters, said):
    with pytest.raises(InputError, match=rf"holds\.py, holds: expected .*{said}"):
        load_checks(asking(tmp_path, parameters))


@pytest.mark.parametrize(
    "parameters",
    [
        "drain: Drain, seen: Install",
        "seen: 'Install'",
        "limit: RateLimit | None",
        "all: Contract",
        "run: RunObservations",
        "streamed: StreamingApi",
        "streamed: StreamingApi | None",
    ],
)
def test_promises_observations_and_what_every_contract_has_may_be_asked_for(tmp_path, parameters):
    assert list(load_checks(asking(tmp_path, parameters))) == ["X1"]


@pytest.mark.parametrize("beside", ["", "drain: Drain, ", "limit: RateLimit | None, ", "limits: Limits, "])
def test_an_observation_is_asked_for_with_the_promise_of_its_trial(tmp_path, beside):
    said = "expected a parameter of type RateLimit beside `seen`.* promises limits.rate, .* RateLimited | None"
    with pytest.raises(InputError, match=said):
        load_checks(asking(tmp_path, f"{beside}seen: RateLimited"))


@pytest.mark.parametrize("beside", ["limit: RateLimit, ", "honest: RetryAfter, "])
def test_a_promise_brings_those_that_it_is_part_of(tmp_path, beside):
    assert list(load_checks(asking(tmp_path, f"{beside}seen: RateLimited"))) == ["X1"]
    assert list(load_checks(asking(tmp_path, "seen: RateLimited | None"))) == ["X1"]


def test_an_unknown_id_is_refused_with_those_there_are(tmp_path):
    checks = load_checks(write(tmp_path, "x.py", "X1"))
    assert list(selected(checks, ["X1"])) == ["X1"]
    with pytest.raises(InputError, match=r"expected ids \(X1\), names or groups .*, found X2, X3"):
        selected(checks, ["X2", "X1", "X3"])


def test_every_observation_that_a_check_asks_for_has_a_trial_and_needs_only_such():
    trials = load_trials()
    for check in load_checks(content("conformance")).values():
        assert set(check.observes().values()) <= set(trials), check.id
    for trial in trials.values():
        assert set(trial.after) <= set(trials), trial.name
    assert len({trial.name for trial in trials.values()}) == len(trials)


# trials of one's own, beside one's checks

OUTAGE = '''"""What an outage does."""
from dataclasses import dataclass

from seatrial.observation import Observation
from seatrial.trials.context import TrialContext
from seatrial.trials.trial import trial

@dataclass(frozen=True, slots=True)
class {observes}(Observation):
    """What was seen."""

@trial("{name}", watches={{"Job"}})
def apply(context: TrialContext) -> {observes}:
    """Nothing is done."""
    raise NotImplementedError
'''
AFTER = '''"""An outage restarts nothing."""
from seatrial.suite import check
from seatrial.verdict import Verdict, passed

from .outage import Outage

@check("X1", level="MUST")
def restarts_nothing(outage: Outage) -> Verdict:
    return passed("a", "b", n=1)
'''


@pytest.fixture
def own(tmp_path):
    """A folder with a trial, and a check beside it that asks for its observation."""
    (tmp_path / "outage.py").write_text(OUTAGE.format(name="outage", observes="Outage"))
    (tmp_path / "after_an_outage.py").write_text(AFTER)
    return tmp_path


def test_a_folder_may_have_trials_beside_the_checks_that_ask_for_them(own):
    (kind,) = load_checks(own)["X1"].observes().values()
    assert (load_trials(own)[kind].name, load_trials(own)[kind].watches) == ("outage", frozenset({"Job"}))
    assert len(load_trials(own)) == len(load_trials()) + 1


def test_a_folder_of_trials_alone_is_one(own):
    (own / "after_an_outage.py").unlink()
    assert load_checks(own) == {}


@pytest.mark.parametrize("name", ["outage", "install"])
def test_two_trials_of_one_name_are_refused_with_both_files(own, name):
    (own / "twin.py").write_text(OUTAGE.format(name=name, observes="Twin"))
    first = "outage" if name == "outage" else "install"
    with pytest.raises(InputError, match=rf"twin\.py: expected a trial with a name .* {name} also in .*{first}\.py"):
        load_trials(own)


def test_a_trial_that_observes_what_another_does_is_refused(own):
    text = OUTAGE.format(name="again", observes="Own").replace("-> Own", "-> Install")
    (own / "again.py").write_text(
        text.replace("from dataclasses", "from seatrial.trials.install import Install\nfrom dataclasses")
    )
    with pytest.raises(
        InputError, match=r"again\.py: expected an observation of its own, found Install, .*install\.py"
    ):
        load_trials(own)


def test_a_trial_that_does_not_import_is_named(own):
    (own / "outage.py").write_text("import nothing_of_that_name")
    with pytest.raises(InputError, match=r"\.py: expected a check or a trial that imports, found ModuleNotFound"):
        load_checks(own)
