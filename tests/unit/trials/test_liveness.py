"""Failed probes in a row, as a kubelet would have counted them."""

import pytest

from seatrial.ledger import ledger
from seatrial.trials.liveness import failed_runs, is_alive
from seatrial.trials.workload import HttpProbe
from tests.helpers.observations import lost, row, wrong

AGENT = ("/live", 8080, ())


def probed(*failed_s, pod="a", until_s=30, took_s=1.001):
    """A probe every second, of which those sent at these times get no answer within so long."""
    for at_s in range(until_s):
        made = row("liveness", float(at_s), 0.002, target=pod, pod=pod, correct=-1)
        yield {**lost(made, "timeout"), "ended_s": at_s + took_s} if at_s in failed_s else made


def runs(*rows):
    probes = ledger(rows)
    return list(failed_runs(probes, ~is_alive(probes)))


def every(period_s, threshold, timeout_s=1.0):
    return HttpProbe(*AGENT, period_s, timeout_s, threshold, 0)


@pytest.mark.parametrize(
    ("status", "error", "alive"),
    [(200, "", True), (204, "", True), (399, "", True), (400, "", False), (503, "", False), (200, "eof", False)],
)
def test_alive_is_what_the_kubelet_takes_as_success(status, error, alive):
    made = {**wrong(row("liveness", 1.0), "", status), "error": error}
    assert is_alive(ledger([made])).tolist() == [alive]


def test_an_answer_ends_a_run_and_the_pods_have_runs_of_their_own():
    found = runs(*probed(3, 4, 9), *probed(4, 5, 6, pod="b"))
    assert [(run.pod, run.first_s, run.last_s, run.in_a_row) for run in found] == [
        ("a", 3.0, 4.0, 2),
        ("a", 9.0, 9.0, 1),
        ("b", 4.0, 6.0, 3),
    ]


def test_what_is_neither_failed_nor_alive_is_passed_over():
    probes = ledger(probed(3, 4, 5))
    excused = probes.sent_s == 4.0
    (run,) = failed_runs(probes, ~is_alive(probes) & ~excused)
    assert run.rows.sent_s.tolist() == [3.0, 5.0]


def test_probes_that_overlap_are_one_to_a_kubelet():
    (run,) = runs(*probed(3, 4, 5, 6, 7, 8, took_s=3.001))
    assert (len(run.rows), run.in_a_row) == (6, 2)


@pytest.mark.parametrize(
    ("failed", "period_s", "threshold", "restarts"),
    [
        (2, 1, 3, False),
        (3, 1, 3, True),
        (4, 2, 3, False),
        (5, 2, 3, True),
        (20, 10, 3, False),
        (21, 10, 3, True),
        (1, 10, 1, False),
        (11, 10, 1, True),
    ],
)
def test_a_kubelet_restarts_when_its_threshold_fits_into_a_run(failed, period_s, threshold, restarts):
    (run,) = runs(*probed(*range(3, 3 + failed)))
    assert run.restarts(every(period_s, threshold)) is restarts


@pytest.mark.parametrize(("end_s", "outlasts"), [(9.0, False), (10.0, True), (12.4, True), (12.6, True), (13.6, False)])
def test_a_run_that_reached_the_threshold_when_the_outage_ended_would_have_gone_on(end_s, outlasts):
    (run,) = runs(*probed(9, 10, 11, 12))
    assert run.outlasts(end_s, every(10, 3), 1.0) is outlasts
    assert not run.outlasts(end_s, every(10, 5), 1.0)
