"""Numbers and percentages: both sides of every limit."""

import pytest

from seatrial.clusters.local.api.bounds import not_negative, number_or_percent


@pytest.mark.parametrize(
    ("value", "refused"),
    [(0, False), (1, False), (-1, True), ("0%", False), ("100%", False), ("101%", True), ("1", True), ("-1%", True)],
)
def test_a_number_or_a_percentage_of_at_most_a_hundred(value, refused):
    assert bool(list(number_or_percent(value, "spec.x", most_percent=100))) == refused


def test_without_a_most_any_percentage_will_do():
    assert list(number_or_percent("250%", "spec.x")) == []


def test_a_negative_number_is_named_and_a_missing_one_is_not():
    problems = list(not_negative({"replicas": -1, "completions": 0}, ("replicas", "completions", "parallelism")))
    assert [field for _, field, _ in problems] == ["spec.replicas"]
