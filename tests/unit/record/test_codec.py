"""An observation read back from its files is the observation that was written."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.errors import InputError
from seatrial.ledger import COLUMNS, Floats, Ledger, ledger
from seatrial.observation import Change, Observation, Timeline
from seatrial.record import observation_from_files, observation_to_files
from seatrial.record.codec import raw_observation
from seatrial.verdict import Outcome


@dataclass(frozen=True, slots=True)
class Round:
    index: int
    victim: str
    drain_sign_s: float | None
    held_s: float = math.nan


@dataclass(frozen=True, slots=True)
class Deletions(Observation):
    rounds: tuple[Round, ...] = ()
    direct: Ledger = field(default_factory=lambda: ledger([]))
    bodies: Mapping[str, bytes] = field(default_factory=dict)
    samples: Floats = field(default_factory=lambda: np.array([]))
    states: frozenset[str] = frozenset()
    outcome: Outcome | None = None


def same_ledger(one: Ledger, other: Ledger) -> bool:
    return one.strings == other.strings and all(
        getattr(one, name).dtype == getattr(other, name).dtype
        and np.array_equal(getattr(one, name), getattr(other, name), equal_nan=getattr(one, name).dtype.kind == "f")
        for name in COLUMNS
    )


@pytest.fixture
def deletions(seen) -> Deletions:
    return Deletions(
        **{name: getattr(seen, name) for name in Observation.__slots__},
        rounds=(Round(0, "a", None), Round(1, "b", 0.1 + 0.2, held_s=math.inf)),
        direct=ledger([{"load": "direct", "body": "\udcff\x00 é"}]),
        bodies={"a": b"\xff\x00"},
        samples=np.array([0.1, np.nan, 1e-300]),
        states=frozenset({"Running", "Pending"}),
        outcome=Outcome.FAIL,
    )


def test_everything_comes_back(tmp_path, deletions):
    observation_to_files(tmp_path, deletions)
    back = observation_from_files(tmp_path, Deletions)
    assert same_ledger(back.ledger, deletions.ledger)
    assert same_ledger(back.direct, deletions.direct)
    assert back.timeline == deletions.timeline
    assert (back.scrapes, back.logs, back.pods, back.generator) == (
        deletions.scrapes,
        deletions.logs,
        deletions.pods,
        deletions.generator,
    )
    assert back.rounds[1] == deletions.rounds[1]
    assert (back.rounds[0].drain_sign_s, math.isnan(back.rounds[0].held_s)) == (None, True)
    assert (back.bodies, back.states, back.outcome) == (deletions.bodies, deletions.states, deletions.outcome)
    assert np.array_equal(back.samples, deletions.samples, equal_nan=True)
    assert back.values == deletions.values


def test_json_holds_no_nan_and_no_infinity(tmp_path, deletions):
    def refuse(constant):
        raise AssertionError(f"{constant} in JSON")

    for path in observation_to_files(tmp_path, deletions):
        if path.suffix == ".json":
            json.loads(path.read_bytes(), parse_constant=refuse)


def test_each_ledger_has_its_own_file(tmp_path, deletions):
    written = [path.name for path in observation_to_files(tmp_path, deletions)]
    assert written == ["ledger.npz", "timeline.jsonl", "ledger-2.npz", "observation.json"]
    assert raw_observation(tmp_path)["direct"] == {"$ledger": "ledger-2.npz"}


def test_writing_twice_gives_the_same_bytes(tmp_path, deletions):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        observation_to_files(tmp_path / name, deletions)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"sent_s": st.floats(), "body": st.text(), "status": st.integers(0, 599)})),
    st.text(),
)
def test_any_ledger_comes_back_to_the_bit(tmp_path, rows, gap):
    @dataclass(frozen=True)
    class Watched:
        ledger: Ledger
        timeline: Timeline

    change = Change(0.1, "Pod", "ADDED", gap, {"nested": [1, None, {"x": gap}]})
    watched = Watched(ledger(rows), Timeline((change,), (gap,)))
    observation_to_files(tmp_path, watched)
    back = observation_from_files(tmp_path, Watched)
    assert same_ledger(back.ledger, watched.ledger)
    assert back.timeline == watched.timeline


@given(st.floats(allow_nan=False))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_float_keeps_all_its_digits(tmp_path, value):
    observation_to_files(tmp_path, Round(0, "a", value, value))
    assert observation_from_files(tmp_path, Round) == Round(0, "a", value, value)


@pytest.mark.parametrize("name", ["ledger.npz", "timeline.jsonl", "observation.json"])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.98])
def test_a_file_cut_short_is_named(tmp_path, deletions, name, keep):
    observation_to_files(tmp_path, deletions)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputError, match=name):
        observation_from_files(tmp_path, Deletions)


def test_a_missing_file_is_named(tmp_path, deletions):
    observation_to_files(tmp_path, deletions)
    (tmp_path / "ledger-2.npz").unlink()
    with pytest.raises(InputError, match=r"ledger-2\.npz"):
        observation_from_files(tmp_path, Deletions)


def test_another_type_is_refused(tmp_path):
    observation_to_files(tmp_path, Round(0, "a", None))
    with pytest.raises(InputError, match=r"observation\.json: expected Deletions"):
        observation_from_files(tmp_path, Deletions)


def test_a_reference_cannot_leave_the_folder(tmp_path, deletions):
    observation_to_files(tmp_path, deletions)
    path = tmp_path / "observation.json"
    path.write_text(path.read_text().replace('"ledger.npz"', '"../ledger.npz"'))
    with pytest.raises(InputError, match="expected a file name"):
        observation_from_files(tmp_path, Deletions)
