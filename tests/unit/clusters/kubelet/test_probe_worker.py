"""When probes are made and when they settle; on a clock that jumps from one wait to the next."""

import asyncio
from contextlib import suppress

import pytest

from seatrial.clusters.local.kubelet.actions import Outcome
from seatrial.clusters.local.kubelet.probe_worker import ProbeWorker, Thresholds


class JumpingLoop(asyncio.SelectorEventLoop):
    """Time passes only where everybody waits for it."""

    now_s = 0.0

    def time(self) -> float:
        return self.now_s

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self.now_s = max(self.now_s, self._scheduled[0].when())
        super()._run_once()


class Script:
    """Answers probes from a list of (result, seconds it takes) and notes when each began."""

    def __init__(self, answers: list[tuple[bool, float]]) -> None:
        self.answers, self.begun_s, self.settled = iter(answers), [], []

    async def attempt(self, probe, timeout_s: float) -> Outcome:
        self.begun_s.append(round(asyncio.get_running_loop().time(), 3))
        try:
            ok, takes_s = next(self.answers)
        except StopIteration:
            raise asyncio.CancelledError from None
        await asyncio.sleep(takes_s)
        return Outcome("success" if ok else "failure")

    def settle(self, kind: str, ok: bool) -> None:
        self.settled.append(ok)


def probing(kind, probe, answers, started_at_s: float = 0.0, trigger_at_s: float | None = None) -> Script:
    """Ticks count from 0; the container starts at `started_at_s`."""
    script = Script([(one, 0.0) if isinstance(one, bool) else one for one in answers])

    async def run() -> None:
        await asyncio.sleep(started_at_s)
        worker = ProbeWorker(kind, probe, script.attempt, lambda *_: None, script.settle, 0.0)
        if trigger_at_s is not None:
            asyncio.get_running_loop().call_at(trigger_at_s, worker.trigger)
        with suppress(asyncio.CancelledError):
            await worker.run(started_at_s)

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(run())
    return script


def test_probes_keep_to_the_ticks_of_the_pod() -> None:
    assert probing("liveness", {"periodSeconds": 10}, [True] * 3, started_at_s=1).begun_s == [10, 20, 30, 40]


def test_the_first_tick_after_the_initial_delay_is_the_first_probe() -> None:
    probe = {"periodSeconds": 5, "initialDelaySeconds": 7}
    assert probing("liveness", probe, [True] * 2, started_at_s=1).begun_s == [10, 15, 20]
    assert probing("liveness", probe, [True] * 2, started_at_s=3).begun_s == [10, 15, 20]
    assert probing("liveness", probe, [True] * 2, started_at_s=3.5).begun_s == [15, 20, 25]


def test_a_trigger_probes_at_once_and_leaves_the_ticks_alone() -> None:
    assert probing("readiness", {"periodSeconds": 10}, [False] * 2, 1, trigger_at_s=4).begun_s == [4, 10, 20]


def test_a_trigger_within_the_initial_delay_is_forgotten() -> None:
    probe = {"periodSeconds": 10, "initialDelaySeconds": 5}
    assert probing("readiness", probe, [False], 1, trigger_at_s=4).begun_s == [10, 20]


def test_a_probe_that_outlasts_its_tick_is_followed_at_once() -> None:
    answers = [(True, 0.0), (True, 2.5), (True, 0.0)]
    assert probing("readiness", {"periodSeconds": 1}, answers).begun_s == [0, 1, 3.5, 4]


def test_readiness_goes_on_after_failing() -> None:
    script = probing("readiness", {"periodSeconds": 1, "failureThreshold": 2}, [False, False, False, True])
    assert script.settled == [False, False, True]


def test_liveness_ends_when_it_fails() -> None:
    script = probing("liveness", {"periodSeconds": 1, "failureThreshold": 2}, [True, False, True, False, False, True])
    assert script.settled == [True, True, False]
    assert len(script.begun_s) == 5


@pytest.mark.parametrize("ok", [True, False])
def test_a_startup_probe_ends_when_it_settles(ok: bool) -> None:
    script = probing("startup", {"periodSeconds": 1, "failureThreshold": 1}, [ok, ok])
    assert script.settled == [ok]
    assert len(script.begun_s) == 1


def test_thresholds_need_equal_results_in_a_row() -> None:
    thresholds = Thresholds(success=2, failure=3)
    results = [False, False, True, False, False, False, True, True, False]
    assert [thresholds.settled(ok) for ok in results] == [None, None, None, None, None, False, None, True, None]
