"""The size of batches that is tried beside the declared one: another, and no power of two where that can be judged.

What is rounded up, to a power of two or to pairs, shows only at a size that rounding changes; and a size is judged only
where the service's histogram can tell it from the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.contract import Governed, merged, placed
from seatrial.errors import ClusterError
from seatrial.observation import Pod
from seatrial.trials.changed_setting import Changed, changed
from seatrial.trials.sandbox import Sandbox
from seatrial.watch.metrics import bounds_of


def second_size(declared: int, bounds: Sequence[float]) -> int:
    """The second largest batch to try, below `declared`; 0 where there is none, for the declared one is 1.

    `bounds` are those of the histogram's buckets, in any order. Of the sizes that are odd and no power of two the
    first that the histogram tells apart, from half of the declared one down and then up; else the first that is no
    power of two; else half.
    """
    half = declared // 2
    near = [*range(half, 2, -1), *range(max(half + 1, 3), declared)]
    candidates = [size for size in near if not _is_power_of_two(size) and tells_apart(size, bounds)]
    return next((size for size in candidates if size % 2), candidates[0] if candidates else half)


def tells_apart(size: int, bounds: Sequence[float]) -> bool:
    """A histogram of whole numbers with these bounds shows whether one was above `size`.

    A bucket ends there; or each smaller size has a bucket of its own: then the sum of all shows it.
    """
    return size in bounds or all(smaller in bounds for smaller in range(1, size))


def _is_power_of_two(size: int) -> bool:
    return size & (size - 1) == 0


def changed_to_smaller(
    sandbox: Sandbox, declared: Governed, values: Mapping[str, Any], before: Sequence[Pod]
) -> tuple[int, Changed]:
    """Give the one replica the second size, beside its values; half where the chart or its server refuses that size.

    Raises ClusterError where half is refused, too.
    """

    def to(size: int) -> Changed:
        return changed(sandbox, merged(values, placed(iter([Governed(value=declared.value, set=size)]))), before, 1)

    most = int(float(declared))
    size, half = second_size(most, _bounds(sandbox)), most // 2
    try:
        return size, to(size)
    except ClusterError:
        if size == half:
            raise
        return half, to(half)


def _bounds(sandbox: Sandbox) -> tuple[float, ...]:
    """Where the buckets of the service's histogram of batch sizes end; empty where it has none."""
    metrics = sandbox.context.contract.metrics
    answered = [scrape for scrape in sandbox.traffic.scrapes if scrape.status == 200]
    return bounds_of(answered[-1], metrics.batch_size) if metrics and metrics.batch_size and answered else ()
