"""No batch is larger than the declared largest, at that size and at a smaller one, whenever it is closed.

Source: contract `batching.max_size`; sizes as the service's histogram counts them, and the runs of its model.
"""

import math
from collections.abc import Sequence

from seatrial.contract import Batching, Governed, Metrics
from seatrial.suite import check
from seatrial.trials.batching import BURST, BURST_OF, NO_BURSTS, RACE, Batches, Setting
from seatrial.trials.changed_setting import NOT_REPLACED, ROLL_OUT
from seatrial.trials.race import SWEEP, closed_after_s, widest_gap_s
from seatrial.verdict import Ground, Measurement, Verdict, skipped
from seatrial.watch.metrics import Sizes, around, counted, sizes

WANTED_BURSTS, WANTED_FULL = 20, 10
BURST_WITHIN_S = 0.02


@check("B3", level="MUST", ablation=NO_BURSTS)
def never_above_max_batch(batching: Batching, metrics: Metrics | None, batches: Batches) -> Verdict:
    if not (metrics and metrics.batch_size):
        return skipped("the contract does not name metrics.batch_size")
    metric = metrics.batch_size
    seen = [(setting, seen_at(batches, setting, metric)) for setting in batches.settings]
    counted = [(setting, at) for setting, at in seen if at is not None]
    above = [too_large(metrics, batches, *pair) for pair in counted]
    if over := next(filter(None, above), ""):
        until_then = counted[: above.index(over) + 1]
        setting = until_then[-1][0]
        reached = setting.replaced or not isinstance(batching.max_size, Governed)
        return ground_of(until_then).failed(
            f"no batch above {setting.size} when that is the largest",
            over if reached else f"{over}; {NOT_REPLACED} {batching.max_size.value}, which did not reach them",
            "count every item of every request before it joins a batch, whatever closes the batch"
            if reached
            else ROLL_OUT,
        )
    doubts = [unburst(batches, setting, at) if at else uncounted(metric, setting) for setting, at in seen]
    if doubt := next(filter(None, doubts), None):
        return doubt
    swept = [setting for setting, _ in counted if setting.races]
    ground = ground_of(counted).with_(evidence=[how_swept(batches, setting) for setting in swept])
    if not batches.settings:
        return ground.inconclusive("bursts at the declared size", "none", "run again")
    others = [setting.size for setting in batches.settings[1:]]
    return ground.passed(
        "no batch above the declared largest" + "".join(f", nor above {size} when so configured" for size in others),
        f"{ground.n} batches, none above" + ("" if others else "; no value governs the size, so it was not changed"),
        detects="a single batch above the size configured, in any of these bursts" + whenever(batches, swept),
    )


def ground_of(counted: Sequence[tuple[Setting, Sizes]]) -> Ground:
    """The batches that were counted at each setting."""
    return Ground(
        sum(at.runs for _, at in counted),
        tuple(
            Measurement(f"mean batch at {setting.size}", at.mean, n=at.runs, limit=f"<= {setting.size}")
            for setting, at in counted
        ),
        tuple(
            f"largest {setting.size}: {at.runs} batches, {at.at_least(setting.size)} of them full"
            for setting, at in counted
        ),
    )


def uncounted(metric: str, setting: Setting) -> Verdict:
    """The service does not say how large the batches of these bursts were."""
    return Ground().inconclusive(
        f"{metric} in the scrapes around the bursts, rising",
        f"at {setting.size}: missing, or begun anew",
        "correct the name in the contract; if the pod was restarted, see its log",
    )


def seen_at(batches: Batches, setting: Setting, metric: str) -> Sizes | None:
    """The batches of a setting's bursts."""
    pair = around(batches.scrapes, setting.pod, setting.span.start_s, setting.span.end_s)
    return sizes(*pair, metric) if pair else None


def too_large(metrics: Metrics, batches: Batches, setting: Setting, seen: Sizes) -> str:
    """How it shows that some batch was above the size; "" where nothing shows it."""
    if above := seen.at_least(setting.size + 1):
        return f"{above} of {seen.runs} batches above {setting.size}"
    pair = around(batches.scrapes, setting.pod, setting.span.start_s, setting.span.end_s)
    calls = counted(*pair, metrics.model_runs) if pair and metrics.model_runs else None
    rows = batches.ledger.of(*(f"{load}-{setting.size}" for load in (BURST, RACE, SWEEP))).to(setting.pod)
    right = int(rows.right.sum())
    if calls is not None and right > calls * setting.size:
        return f"{right} right answers out of {calls:.0f} model runs: more than {setting.size} in one"
    return ""


def raced_after_s(batches: Batches, setting: Setting) -> list[float]:
    """After what part of its wait each batch of the sweep was sent what closes it, while it may have been open."""
    moments_s = closed_after_s(batches.ledger.of(f"{SWEEP}-{setting.size}").to(setting.pod))
    return [moment_s for moment_s in moments_s if moment_s <= batches.delay_s + BURST_WITHIN_S]


def how_swept(batches: Batches, setting: Setting) -> str:
    """At how many moments of the wait batches were closed, and how far these are apart."""
    moments_s = raced_after_s(batches, setting)
    gap_ms = 1000 * widest_gap_s(moments_s, batches.delay_s)
    return f"largest {setting.size}: closed at {len(moments_s)} moments of the wait, at most {gap_ms:.1f} ms apart"


def whenever(batches: Batches, swept: Sequence[Setting]) -> str:
    """How long a part of the wait may be in which no batch was closed, at one of the sizes."""
    if not swept:
        return ""
    gap_s = max(widest_gap_s(raced_after_s(batches, setting), batches.delay_s) for setting in swept)
    return f", and whenever it is closed but for {math.ceil(1000 * gap_s)} ms"


def unburst(batches: Batches, setting: Setting, seen: Sizes) -> Verdict | None:
    """Why these bursts tell nothing, if they do not."""
    bursts = len(raced_after_s(batches, setting))
    for stream, within_s in ((BURST, BURST_WITHIN_S), (RACE, batches.delay_s + BURST_WITHIN_S)):
        rows = batches.ledger.of(f"{stream}-{setting.size}").to(setting.pod)
        for group in sorted(set(rows.group.tolist())):
            sent_s = rows.in_group(group).sent_s
            bursts += len(sent_s) > setting.size and float(sent_s.max() - sent_s.min()) <= within_s
    # A burst of four batches' worth holds at most four full ones.
    with_full = -(-seen.at_least(setting.size) // BURST_OF)
    ground = Ground(n=seen.runs)
    if bursts < WANTED_BURSTS or with_full < WANTED_FULL:
        return ground.inconclusive(
            f"{WANTED_BURSTS} bursts of more than {setting.size} within {BURST_WITHIN_S * 1000:g} ms, "
            f"{WANTED_FULL} with a full batch",
            f"at {setting.size}: {bursts} bursts, {with_full} for certain with a full batch",
            "give the generator a core of its own; if batches do not form, see B2",
        )
    if not seen.none_above(setting.size):
        return ground.inconclusive(
            f"a histogram that can tell {setting.size} from {setting.size + 1}",
            f"at {setting.size}: a bucket that holds both",
            f"give {setting.size} a bucket of its own in the service's metrics",
        )
    return None
