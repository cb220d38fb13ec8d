"""The waits between restarts."""

from seatrial.clusters.local.kubelet.backoff import Backoff


def waits(backoff: Backoff, runs: int, run_s: float = 0.0) -> list[float]:
    """How long each of so many restarts was held back, when every run lasts `run_s`."""
    found, now_s = [], 0.0
    for _ in range(runs):
        ended_at_s = now_s + run_s
        found.append(backoff.delay_s(ended_at_s))
        now_s = ended_at_s + found[-1]
        backoff.restarted(now_s, ended_at_s)
    return found


def test_the_first_restart_is_immediate_and_the_waits_double_up_to_five_minutes() -> None:
    assert waits(Backoff(), 9) == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_ten_minutes_of_running_are_not_yet_forgiven() -> None:
    assert waits(Backoff(), 4, run_s=600) == [0, 10, 20, 40]


def test_more_than_ten_minutes_of_running_start_the_count_anew() -> None:
    assert waits(Backoff(), 4, run_s=600.1) == [0, 0, 0, 0]
