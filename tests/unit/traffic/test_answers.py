"""When is an answer the known right one?"""

import pytest

from seatrial.ledger import RIGHT, UNJUDGED, WRONG
from seatrial.traffic.answers import contains, judge

EXPECTED = {"entities": [{"label": "EMAIL", "score": 0.9}], "text": "[EMAIL]"}


@pytest.mark.parametrize(
    ("found", "held"),
    [
        (EXPECTED, True),
        ({**EXPECTED, "more": 1}, True),
        ({"entities": [{"label": "EMAIL", "score": 0.9, "start": 3}], "text": "[EMAIL]"}, True),
        ({"entities": [{"label": "EMAIL", "score": 0.905}], "text": "[EMAIL]"}, True),
        ({"entities": [{"label": "EMAIL", "score": 0.92}], "text": "[EMAIL]"}, False),
        ({"entities": [{"label": "PHONE", "score": 0.9}], "text": "[EMAIL]"}, False),
        ({"entities": [], "text": "[EMAIL]"}, False),
        ({"entities": EXPECTED["entities"] * 2, "text": "[EMAIL]"}, False),
        ({"entities": EXPECTED["entities"]}, False),
        ([EXPECTED], False),
        (None, False),
    ],
)
def test_an_answer_is_right_when_it_contains_what_was_expected(found, held):
    """Extra keys are allowed in objects; arrays match element by element; numbers within the tolerance."""
    assert contains(found, EXPECTED, tolerance=0.01) == held


@pytest.mark.parametrize(("difference", "held"), [(0.25, True), (0.2500001, False)])
def test_the_tolerance_itself_is_still_right(difference, held):
    assert contains(1.0 + difference, 1.0, tolerance=0.25) == held


@pytest.mark.parametrize(("found", "expected"), [(True, 1), (1, True), (0, False), ("1", 1), (None, 0), (None, False)])
def test_values_of_different_types_are_never_equal(found, expected):
    assert not contains(found, expected, tolerance=1.0)


def test_whole_numbers_and_fractions_are_both_numbers():
    assert contains(3.0, 3)


@pytest.mark.parametrize(
    ("status", "body", "expected", "judgement"),
    [
        (200, b'{"a": 1}', {"a": 1}, RIGHT),
        (201, b'{"a": 1}', {"a": 1}, RIGHT),
        (199, b'{"a": 1}', {"a": 1}, WRONG),
        (300, b'{"a": 1}', {"a": 1}, WRONG),
        (503, b'{"a": 1}', {"a": 1}, WRONG),
        (200, b'{"a": 2}', {"a": 1}, WRONG),
        (200, b"<html>", {"a": 1}, WRONG),
        (200, b"", {"a": 1}, WRONG),
        (200, b"<html>", None, UNJUDGED),
        (500, b"", None, UNJUDGED),
        (200, b"[]", {}, WRONG),
    ],
)
def test_only_a_2xx_json_answer_can_be_right(status, body, expected, judgement):
    assert judge(status, body, expected, 0.0) == judgement
