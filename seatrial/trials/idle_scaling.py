"""Whether replicas use more than the autoscaler's target before anything is asked of them."""

from __future__ import annotations

from statistics import mean

from seatrial.trials.autoscaling import CALIBRATE, Scaling, requested_cores
from seatrial.watch.autoscaler import TOLERANCE, ready_since_s
from seatrial.watch.cpu import CpuReading
from seatrial.watch.pods import living

WANTED = 2  # readings before the first load


def idle_percent(scaling: Scaling, target: float, container: str) -> float | None:
    """The CPU of idle replicas over what they ask for, in percent, on average; None unless it is above the target.

    Of one container where the autoscaler looks at one, of whole pods where `container` is "".
    Above is outside the autoscaler's tolerance. The average under the light load that follows has to be, too: a server
    that is busy for a while after its start is above the target once, and then no more.
    """
    asked = scaling.ledger.of(CALIBRATE).scheduled_s
    asked_s = float(asked.min()) if len(asked) else scaling.load_s
    before = [change for change in scaling.timeline.changes if change.at_s <= scaling.load_s]
    pods = living(before, scaling.subject)
    begun_s = {name: since_s + 1.0 for name in pods if (since_s := ready_since_s(before, name)) is not None}
    asked_for = {name: requested_cores(pod, container) for name, pod in pods.items()}
    readings = {
        (reading.pod, reading.to_s): (reading.to_s, 100 * used_cores(reading, container) / asked_for[reading.pod])
        for reading in scaling.readings
        if reading.pod in begun_s
        and asked_for[reading.pod] > 0
        and begun_s[reading.pod] <= reading.from_s
        and reading.to_s <= scaling.load_s
    }.values()
    idle = [percent for to_s, percent in readings if to_s <= asked_s]
    lightly = [percent for to_s, percent in readings if to_s > asked_s]
    above = (1 + TOLERANCE) * target
    if len(idle) < WANTED or any(mean(part) <= above for part in (idle, lightly) if part):
        return None
    return mean(idle)


def used_cores(reading: CpuReading, container: str) -> float:
    """The CPU of a container, or of all where none is named."""
    return reading.cores.get(container, 0.0) if container else reading.total_cores
