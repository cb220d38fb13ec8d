"""Which concurrency limit a release has, whatever its contract puts on trial elsewhere."""

from types import SimpleNamespace

import pytest

from seatrial.trials.slots import slots_of
from tests.helpers.observations import contract


@pytest.mark.parametrize(
    ("limit", "values", "slots"),
    [
        (4, {}, 4),
        (4, {"throttle": {"max": 9}}, 4),
        ({"value": "throttle.max", "set": 8}, {}, 3),
        ({"value": "throttle.max", "set": 8}, {"throttle": {"max": 8}}, 8),
        ({"value": "throttle.max", "set": 8}, {"throttle": {"max": "8"}}, 8),
        ({"value": "throttle.max", "set": 8}, {"throttle": {"max": 0}}, None),
        ({"value": "throttle.max", "set": 8}, {"throttle": {"max": "many"}}, None),
        ({"value": "throttle.none", "set": 8}, {}, None),
    ],
    ids=["fixed", "fixed, other values", "the chart's own", "set", "a string", "off", "not a number", "no such value"],
)
def test_a_limit_is_as_large_as_in_this_release(tmp_path, limit, values, slots):
    (tmp_path / "values.yaml").write_text("throttle: {max: 3}\n", encoding="utf-8")
    context = SimpleNamespace(contract=contract(limits={"concurrency": {"limit": limit}}), chart=tmp_path)
    assert slots_of(context, values) == slots


def test_without_a_promise_or_a_file_of_values_there_is_no_limit(tmp_path):
    governed = contract(limits={"concurrency": {"limit": {"value": "max", "set": 2}}})
    assert slots_of(SimpleNamespace(contract=contract(), chart=tmp_path), {"max": 2}) is None
    assert slots_of(SimpleNamespace(contract=governed, chart=tmp_path), {}) is None
