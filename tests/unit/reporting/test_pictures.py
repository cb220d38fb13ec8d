"""Pictures are well-formed, stay within their frame and show every request."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from made_up_trials import calibration, deletions

from seatrial.ledger import ledger
from seatrial.reporting.bars import limit_bar
from seatrial.reporting.drain_story import drain_story
from seatrial.reporting.drain_svg import story_svg
from seatrial.reporting.latency import latencies_of_loads, latency_svg, seconds
from seatrial.reporting.svg import element, nice_step, text_width
from seatrial.verdict import Measurement

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def deletion():
    return deletions(healthy=False)


def strokes(root: ElementTree.Element, fate: str) -> list[tuple[float, float, float]]:
    """(left, y, right) of every request drawn with this fate."""
    paths = [path for path in root.iter(f"{SVG}path") if path.get("class") == f"request {fate}"]
    moves = re.findall(r"M([\d.]+) ([\d.]+)H([\d.]+)", "".join(path.get("d", "") for path in paths))
    return [(float(x1), float(y), float(x2)) for x1, y, x2 in moves]


@pytest.mark.parametrize("width", [340.0, 1080.0])
def test_every_request_of_the_victim_is_drawn_within_the_frame(deletion, width):
    round = deletion.rounds[0]
    told = drain_story(deletion.ledger, deletion.timeline, round, 0.0)
    root = ElementTree.fromstring(story_svg(told, width))
    for fate in ("right", "unjudged", "cut", "turned-away", "after"):
        shown = [
            span
            for lane in told.lanes
            for span in lane.spans
            if span.fate == fate and span.end_s >= told.start_s and span.start_s <= told.end_s
        ]
        drawn = strokes(root, fate)
        assert len(drawn) == len(shown)
        assert all(0 <= x1 <= x2 <= width and 0 <= y <= float(root.get("height", 0)) for x1, y, x2 in drawn)


@pytest.mark.parametrize("width", [340.0, 1080.0])
def test_what_is_said_of_a_load_is_whole_and_within_the_frame(deletion, width):
    told = drain_story(deletion.ledger, deletion.timeline, deletion.rounds[0], 0.0)
    root = ElementTree.fromstring(story_svg(told, width))
    lines = [text for text in root.iter(f"{SVG}text") if text.get("class") == "lane"]
    assert all(10 + text_width("".join(line.itertext())) <= width for line in lines)
    said = " ".join(" ".join("".join(line.itertext()) for line in lines).split())
    assert any(10 + text_width(f"{lane.label}  {lane.summary}") > 340 for lane in told.lanes)
    assert [f"{lane.label} {lane.summary}" in said for lane in told.lanes] == [True] * len(told.lanes)


def test_lines_of_loads_do_not_lie_on_each_other(deletion):
    told = drain_story(deletion.ledger, deletion.timeline, deletion.rounds[0], 0.0)
    root = ElementTree.fromstring(story_svg(told, 340.0))
    labels = [float(text.get("y", 0)) for text in root.iter(f"{SVG}text") if text.get("class") == "lane"]
    assert min(np.diff(labels)) >= 11
    for fate in ("right", "cut", "turned-away", "after"):
        for _, y, _ in strokes(root, fate):
            assert not any(label - 8 < y < label + 2 for label in labels)


def test_a_cut_request_ends_where_it_was_cut(deletion):
    """The listener closed at 0.12 s, what was open then was reset a second later."""
    told = drain_story(deletion.ledger, deletion.timeline, deletion.rounds[0], 0.0)
    root = ElementTree.fromstring(story_svg(told, 1080.0))
    at = 10 + (1.12 - told.start_s) * (1080 - 20) / (told.end_s - told.start_s)
    assert {round(right) for _, _, right in strokes(root, "cut")} == {round(at)}


def test_the_text_alternative_tells_the_same(deletion):
    told = drain_story(deletion.ledger, deletion.timeline, deletion.rounds[0], 0.0)
    root = ElementTree.fromstring(story_svg(told, 1080.0))
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text is not None
    assert title.text.startswith(f"Round 0, deletion of {deletion.rounds[0].victim}:")
    assert "7 cut from 1.12 s on" in title.text


def test_names_cannot_become_markup():
    assert element("text", "<b>&", data_name='"x"') == '<text data-name="&#34;x&#34;">&lt;b&gt;&amp;</text>'


def test_loads_tell_quantiles_only_with_enough_answers():
    shown = {load.name: load for load in latencies_of_loads(calibration().ledger)}
    assert [each.low is not None for each in shown["lone"].quantiles] == [True, False, False]
    assert [each.low is not None for each in shown["steady"].quantiles] == [True, True, True]
    assert (shown["steady"].n, shown["lone"].n) == (900, 40)


def test_refusals_have_no_latency():
    """A quick refusal must not make a load look fast."""
    shown = {load.name: load for load in latencies_of_loads(calibration().ledger)}
    assert shown["overload"].n + shown["overload"].left_out == 2500
    assert shown["overload"].left_out > 500
    assert shown["overload"].latencies_s[0] > 0.004


def test_latency_counts_from_the_schedule():
    rows = [{"load": "s", "scheduled_s": 1.0, "sent_s": 3.0, "ended_s": 3.5, "status": 200, "correct": 1}] * 10
    (load,) = latencies_of_loads(ledger(rows))
    assert load.quantiles[0].value == 2.5


@pytest.mark.parametrize("width", [340.0, 1080.0])
def test_curves_rise_and_stay_within_the_frame(width):
    root = ElementTree.fromstring(latency_svg(latencies_of_loads(calibration().ledger), width))
    curves = [path for path in root.iter(f"{SVG}path") if str(path.get("class")).startswith("curve")]
    assert len(curves) == 3
    for curve in curves:
        points = np.array(re.findall(r"([\d.]+) ([\d.]+)", curve.get("d", "")), dtype=float)
        assert len(points) > 10
        assert np.all(np.diff(points[:, 0]) >= 0)
        assert np.all(np.diff(points[:, 1]) <= 0)
        assert points.min() >= 0
        assert points[:, 0].max() <= width


def test_one_latency_for_all_is_still_drawn():
    rows = [{"load": "s", "scheduled_s": 0.0, "ended_s": 0.5, "status": 200, "correct": 1}] * 10
    ElementTree.fromstring(latency_svg(latencies_of_loads(ledger(rows))))


@pytest.mark.parametrize(
    ("value_s", "text"), [(0.00012, "120 µs"), (0.0123, "12.3 ms"), (0.999, "999 ms"), (1.0, "1 s"), (12.34, "12.3 s")]
)
def test_durations_read_in_their_own_unit(value_s, text):
    assert seconds(value_s) == text


@pytest.mark.parametrize(("span", "most", "step"), [(10, 10, 1), (10, 4, 5), (0.7, 7, 0.1), (11, 10, 2)])
def test_steps_are_round(span, most, step):
    assert nice_step(span, most) == pytest.approx(step)


def test_a_bar_marks_the_limit_at_its_place():
    """Value at the limit: both at the same place."""
    root = ElementTree.fromstring(limit_bar(Measurement("x", 0.25, "s", limit="<= 0.25 s")))
    circle = root.find(f"{SVG}circle")
    lines = {line.get("class"): line for line in root.iter(f"{SVG}line")}
    assert circle is not None
    assert circle.get("cx") == lines["limit"].get("x1")


@pytest.mark.parametrize("limit", ["", "= 0", "<= 5 ms", "between 1 and 2", "<= e"])
def test_without_one_number_in_the_same_unit_there_is_no_bar(limit):
    assert limit_bar(Measurement("x", 0.25, "s", limit=limit)) == ""
