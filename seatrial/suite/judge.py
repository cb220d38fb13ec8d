"""Judges one check on what was observed: the only place where checks are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from seatrial.contract import Contract
from seatrial.errors import INTERRUPTS
from seatrial.observation import Observation
from seatrial.suite.check import Check
from seatrial.suite.parameters import RunObservations
from seatrial.verdict import Outcome, Verdict, errored, inconclusive, skipped


def judge(
    check: Check,
    contract: Contract,
    observations: Mapping[type[Observation], Observation],
    lost: Mapping[type[Observation], str],
) -> Verdict:
    """The verdict of one check.

    `observations` are what the trials saw; `lost` tells why a trial gave none. For a check that asks for everything
    seen they have to be all of the run. A check that raises is an error of ours, never a pass. What the common guards
    of every trial (the generator's schedule and self-test, clock, watch) did not vouch for is not judged. Of a trial
    that was stopped before its end, a check can only fail.
    """
    if unmade := check.unmade(contract):
        return skipped(f"the contract does not promise {unmade}")
    needed = check.observes()
    for kind in needed.values():
        if kind not in observations and (kind in lost or kind not in check.optional()):
            return errored(
                lost.get(kind, f"no observation of {kind.__name__}"),
                "mend what is said here, then run again; failure.json of the trial, in the record, has the pods' logs",
            )
    if check.sees_all and not observations:
        return errored("no trial of this run saw anything", "run it beside checks that ask for trials")
    seen = {name: observations.get(kind) for name, kind in needed.items()}
    judged_on = tuple(observations.values() if check.sees_all else filter(None, seen.values()))
    stopped = next((observation for observation in judged_on if observation.stopped), None)
    if doubt := next(filter(None, (_doubt(observation, check.timed) for observation in judged_on)), None):
        return _unfinished(stopped) if stopped else doubt
    run = RunObservations(
        {observation.trial: observation for observation in observations.values()},
        {kind.__name__: why for kind, why in lost.items()},
    )
    try:
        verdict = check.function(**seen, **check.of_contract(contract), **check.of_run(run))
    except INTERRUPTS:
        raise
    except BaseException as broken:  # noqa: BLE001 - a broken check is a finding about Seatrial, reported as such
        verdict = errored(f"{check.id} raised {broken!r}", "report this with the run record")
    if verdict.outcome is Outcome.PASS and not verdict.n:
        verdict = errored(f"{check.id} passed without a count of what it saw", "report this with the run record")
    if stopped is None:
        return verdict
    if verdict.outcome is not Outcome.FAIL:
        return _unfinished(stopped)
    return replace(verdict, evidence=(*verdict.evidence, f"trial {stopped.trial} was {stopped.stopped}"))


def _unfinished(seen: Observation) -> Verdict:
    """Of half a trial: a broken promise is one, however little was seen; all else needs the whole."""
    return inconclusive(
        f"trial {seen.trial} at its end",
        f"it was {seen.stopped}",
        "see why the service does not answer: its log and the trial's ledger are in the record",
        n=len(seen.ledger),
    )


def _doubt(seen: Observation, timed: bool) -> Verdict | None:
    health = seen.generator
    if health.self_test:
        return errored(f"the generator's self-test recorded wrongly: {'; '.join(health.self_test)}", "report this")
    if seen.timeline.gaps:
        return errored(f"the watch was interrupted: {seen.timeline.gaps[0]}", "run again; the API server dropped it")
    if health.clock_bound_s > CLOCK_BOUND_S:
        return inconclusive(
            f"the generator's clock known within {CLOCK_BOUND_S * 1000:.0f} ms",
            f"{health.clock_bound_s * 1000:.1f} ms",
            "run the generator nearer to the API server",
        )
    if health.sent != health.scheduled or (timed and not health.lag_bound_kept):
        return inconclusive(
            f"a generator on schedule: start lag p99 <= {health.lag_p99_bound_s * 1000:.0f} ms, "
            f"at most {health.lag_max_bound_s * 1000:.0f} ms, everything sent",
            f"p99 {health.start_lag_p99_s * 1000:.1f} ms, max {health.start_lag_max_s * 1000:.0f} ms, "
            f"{health.sent} of {health.scheduled} sent",
            "give the generator a core of its own",
            n=health.scheduled,
        )
    return None


CLOCK_BOUND_S = 0.02
