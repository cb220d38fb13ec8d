"""Rows become Locust's own entries, many at a time."""

from seatrial.ledger import RIGHT, WRONG, ledger
from seatrial.loads.locust_stats import Failures, entries
from seatrial.traffic.plan import Exchange

EXCHANGES = [Exchange("a", "POST", "/a"), Exchange("b", "GET", "/b"), Exchange("c", "POST", "/a")]


def row(case, stream, scheduled_s, ended_s, **changed):
    return {
        "case": case, "load": stream, "scheduled_s": scheduled_s, "ended_s": ended_s, "status": 200,
        "correct": RIGHT, "received_bytes": 10,
    } | changed  # fmt: skip


def test_rows_are_counted_by_path_and_stage():
    rows = ledger(
        [
            row("a", "base", 0.0, 0.1),
            row("c", "base", 1.0, 1.3, status=503, correct=WRONG),
            row("c", "base", 1.0, 1.4, status=503, correct=WRONG),
            row("b", "peak", 2.0, 2.1),
        ]
    )
    found, failed = entries(rows, EXCHANGES, wall_s=1000.0, bucket_ms=round)
    base, peak = found
    assert (base["method"], base["name"]) == ("POST", "/a [base]")
    assert (peak["method"], peak["name"]) == ("GET", "/b [peak]")
    assert (base["num_requests"], base["num_failures"], base["total_content_length"]) == (3, 2, 30)
    assert base["response_times"] == {100: 1, 300: 1, 400: 1}
    assert (round(base["min_response_time"]), round(base["max_response_time"])) == (100, 400)
    assert base["num_reqs_per_sec"] == {1000: 1, 1001: 2}
    assert base["num_fail_per_sec"] == {1001: 2}
    assert (base["start_time"], base["last_request_timestamp"]) == (1000.0, 1001.4)
    assert failed == {("POST", "/a [base]", "status 503"): Failures(2, 1001.3, 1001.4)}


def test_nothing_new_is_no_entry():
    assert entries(ledger([]), EXCHANGES, 0.0, round) == ([], {})
