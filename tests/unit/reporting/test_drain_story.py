"""The picture of a deletion shows what happened, and blames nobody for what came after the end."""

import pytest
from made_up_trials import deletions
from made_up_watch import UP, Round, pod_object, slice_object

from seatrial.ledger import ledger
from seatrial.observation import Change, Timeline
from seatrial.reporting.drain_story import Fate, Segment, drain_story

ROUND = Round(0, "a", "10.0.0.1", 100.0, 100.0, 100.1, 103.0)


def timeline(*extra: Change) -> Timeline:
    """Ready from 90 s, deleted at 100 s, exited with 0 at 102 s, gone at 103 s."""
    return Timeline(
        (
            Change(90.0, "Pod", "ADDED", "a", pod_object("a")),
            Change(90.0, "EndpointSlice", "ADDED", "s", slice_object(a=UP)),
            Change(100.0, "Pod", "MODIFIED", "a", pod_object("a", deleted=True)),
            *extra,
            Change(102.0, "Pod", "MODIFIED", "a", pod_object("a", deleted=True, exit_code=0)),
            Change(103.0, "Pod", "DELETED", "a", pod_object("a", deleted=True, exit_code=0)),
        )
    )


def story(*rows):
    return drain_story(ledger([{"load": "short", "target": "a", **row} for row in rows]), timeline(), ROUND, 0.0)


RIGHT = {"connected_s": 100.0, "ended_s": 100.3, "status": 200, "correct": 1}


@pytest.mark.parametrize(
    ("row", "fate"),
    [
        ({"sent_s": 100.0, **RIGHT}, Fate.RIGHT),
        ({"sent_s": 100.0, **RIGHT, "correct": -1}, Fate.UNJUDGED),
        ({"sent_s": 100.0, "connected_s": 100.0, "ended_s": 100.0}, Fate.UNJUDGED),  # a bare connect
        ({"sent_s": 100.0, **RIGHT, "correct": 0}, Fate.OTHER),
        ({"sent_s": 100.0, **RIGHT, "status": 503, "correct": -1}, Fate.OTHER),
        ({"sent_s": 100.0, "connected_s": 100.0, "ended_s": 101.0, "error": "reset"}, Fate.CUT),
        ({"sent_s": 101.9, "ended_s": 101.9, "error": "refused"}, Fate.TURNED_AWAY),
        ({"sent_s": 102.0, "ended_s": 102.0, "error": "refused"}, Fate.AFTER),
    ],
)
def test_how_a_request_ended(row, fate):
    assert [span.fate for span in story(row).lanes[0].spans] == [fate]


def test_what_came_after_the_exit_is_not_lost():
    told = story(
        {"sent_s": 100.0, **RIGHT},
        {"sent_s": 102.5, "ended_s": 102.5, "error": "refused"},
    )
    assert told.lost == 0
    assert "none of 1 attempts lost" in told.sentence


def test_a_connect_that_hangs_at_a_dead_address_is_a_moment():
    """It would otherwise fill the picture with what says nothing about the service."""
    (span,) = story({"sent_s": 102.5, "ended_s": 107.5, "error": "timeout"}).lanes[0].spans
    assert (span.fate, span.end_s - span.start_s) == (Fate.AFTER, 0.0)


@pytest.mark.parametrize(
    ("rows", "summary"),
    [
        ([{**RIGHT}, {**RIGHT, "correct": 0}], "1 of 2 right, 1 answered otherwise"),
        ([{**RIGHT, "correct": -1}], "1 of 1 answered"),
        ([{**RIGHT}, {**RIGHT, "correct": -1}], "1 of 2 right, 1 not judged"),
        ([{**RIGHT, "correct": 0}], "0 of 1 right, 1 answered otherwise"),
    ],
)
def test_a_lane_claims_no_more_than_was_judged(rows, summary):
    assert story(*[{"sent_s": 100.0, **row} for row in rows]).lanes[0].summary == summary


def test_the_sentence_tells_the_story():
    told = story(
        {"sent_s": 99.0, "connected_s": 99.0, "ended_s": 101.0, "error": "reset"},
        {"sent_s": 100.5, "ended_s": 100.5, "error": "refused"},
        {"sent_s": 100.0, **RIGHT},
    )
    assert told.sentence == (
        "told to stop after 0.10 s; endpoint ready to the end; exited with 0 after 2.00 s; "
        "of 3 attempts 1 cut from 1.00 s on, 1 turned away from 0.50 s on."
    )


@pytest.mark.parametrize(
    ("finished_at", "told", "marked"),
    [
        ("1970-01-01T00:01:41Z", "exited with 0 after 1.0 to 2.00 s", "exit 0, 1.0 to"),
        ("1970-01-01T00:01:42Z", "exited with 0 after 2.00 s", "exit 0"),
        ("1970-01-01T00:01:43Z", "exited with 0 after 2.00 s", "exit 0"),
    ],
    ids=["a second before it was seen", "when it was seen", "by a clock that is ahead"],
)
def test_an_exit_is_told_by_its_own_account_as_checks_tell_it_and_by_when_it_was_seen(finished_at, told, marked):
    changes = timeline()
    for change in changes.changes:
        for status in change.object.get("status", {}).get("containerStatuses", ()):
            if "terminated" in status["state"]:
                status["state"]["terminated"]["finishedAt"] = finished_at
    seen = drain_story(ledger([]), changes, ROUND, 0.0)
    assert f"; {told};" in seen.sentence
    assert [(marker.label, marker.at_s) for marker in seen.markers if marker.kind == "exit"] == [(marked, 2.0)]


def test_the_states_of_pod_and_endpoint():
    ending = {"ready": False, "serving": True, "terminating": True}
    changes = timeline(
        Change(100.5, "EndpointSlice", "MODIFIED", "s", slice_object(a=ending)),
        Change(101.0, "EndpointSlice", "MODIFIED", "s", slice_object()),
    )
    told = drain_story(ledger([]), changes, ROUND, 0.0)
    assert told.pod == (
        Segment(-2.5, 0.0, "ready", "Ready"),
        Segment(0.0, 2.0, "terminating", "terminating, Ready"),
        Segment(2.0, 3.0, "exited", "exited"),
        Segment(3.0, 4.5, "none", "object gone"),
    )
    assert [(segment.start_s, segment.text) for segment in told.endpoint] == [
        (-2.5, "ready"),
        (0.5, "terminating, serving"),
        (1.0, "removed"),
    ]


def test_moments_that_were_seen_are_marked():
    assert [(marker.label, round(marker.at_s, 6)) for marker in story().markers] == [
        ("deleted", 0.0),
        ("SIGTERM", 0.1),
        ("exit 0", 2.0),
        ("gone", 3.0),
    ]


def test_without_a_sign_only_the_due_time_is_marked():
    unseen = Round(0, "a", "10.0.0.1", 100.0, 104.0, None, None)
    told = drain_story(ledger([]), Timeline(), unseen, 0.0)
    assert [(marker.label, marker.at_s) for marker in told.markers] == [("deleted", 0.0), ("SIGTERM due", 4.0)]
    assert "no sign of SIGTERM" in told.sentence
    assert "no exit seen" in told.sentence


def test_overlapping_requests_lie_in_rows_of_their_own():
    lane = story(
        {"sent_s": 100.0, **RIGHT},
        {"sent_s": 100.1, **RIGHT},
        {"sent_s": 100.4, **RIGHT, "ended_s": 100.5},
    ).lanes[0]
    assert ([span.row for span in lane.spans], lane.rows) == ([0, 1, 0], 2)


def test_a_request_that_never_ended_keeps_its_row():
    lane = story(
        {"sent_s": 100.0, "connected_s": 100.0, "error": "timeout"}, {"sent_s": 101.0, **RIGHT, "ended_s": 101.2}
    ).lanes[0]
    assert [(span.open, span.row) for span in lane.spans] == [(True, 0), (False, 1)]


def test_parts_of_a_load_share_a_lane():
    rows = [{"sent_s": 100.0, **RIGHT, "load": f"kept-{n}"} for n in range(3)]
    assert [(lane.label, len(lane.spans)) for lane in story(*rows).lanes] == [("kept", 3)]


def test_of_the_service_only_what_the_victim_answered_or_what_failed_is_shown():
    rows = [
        {"sent_s": 100.0, **RIGHT, "load": "service", "target": "", "pod": "a"},
        {"sent_s": 100.0, **RIGHT, "load": "service", "target": "", "pod": "b"},
        {"sent_s": 100.0, "ended_s": 100.0, "load": "service", "target": "", "error": "refused"},
    ]
    (lane,) = story(*rows).lanes
    assert (lane.label, lane.summary) == ("service, through the Service", "1 of 2 right, 1 turned away")


def test_the_made_up_defect_loses_and_the_healthy_pod_only_refuses_once_its_time_is_up():
    for healthy, cut in ((True, 0), (False, 7)):
        deletion = deletions(healthy=healthy)
        told = drain_story(deletion.ledger, deletion.timeline, deletion.rounds[0], 0.0)
        assert sum(span.fate == Fate.CUT for lane in told.lanes for span in lane.spans) == cut
