"""No batch is larger than the declared largest, at that size and at half of it.

Source: contract `batching.max_size`; sizes as the service's histogram counts them, and the runs of its model.
"""

from seatrial.contract import Batching, Metrics
from seatrial.suite import check
from seatrial.trials.batching import BURST, BURST_OF, NO_BURSTS, RACE, Batches, Setting
from seatrial.verdict import Measurement, Verdict, failed, inconclusive, passed, skipped
from seatrial.watch.metrics import Sizes, around, counted, sizes

WANTED_BURSTS, WANTED_FULL = 20, 10
BURST_WITHIN_S = 0.02


@check("B3", level="MUST", ablation=NO_BURSTS)
def never_above_max_batch(batching: Batching, metrics: Metrics | None, batches: Batches) -> Verdict:
    if not (metrics and metrics.batch_size):
        return skipped("the contract does not name metrics.batch_size")
    metric = metrics.batch_size
    facts: list[str] = []
    measured: list[Measurement] = []
    doubts: list[Verdict] = []
    n = 0
    for setting in batches.settings:
        seen = seen_at(batches, setting, metric)
        if seen is None:
            doubts.append(
                inconclusive(
                    f"{metric} in the scrapes around the bursts, rising",
                    f"at {setting.size}: missing, or begun anew",
                    "correct the name in the contract; if the pod was restarted, see its log",
                )
            )
            continue
        facts.append(f"largest {setting.size}: {seen.runs} batches, {seen.at_least(setting.size)} of them full")
        measured.append(
            Measurement(f"mean batch at {setting.size}", seen.mean, n=seen.runs, limit=f"<= {setting.size}")
        )
        n += seen.runs
        if over := too_large(metrics, batches, setting, seen):
            return failed(
                f"no batch above {setting.size} when that is the largest",
                over,
                "count every item of every request before it joins a batch, whatever closes the batch",
                n=n,
                measurements=measured,
                evidence=facts,
            )
        if doubt := unburst(batches, setting, seen):
            doubts.append(doubt)
    if not batches.settings or doubts:
        return doubts[0] if doubts else inconclusive("bursts at the declared size", "none", "run again", n=0)
    alone = "" if len(batches.settings) > 1 else "; no value governs the size, so it was not changed"
    return passed(
        "no batch above the declared largest" + (", nor above half of it when so configured" if not alone else ""),
        f"{n} batches, none above" + alone,
        n=n,
        measurements=measured,
        evidence=facts,
        detects="a single batch above the size configured, in any of these bursts",
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
    rows = batches.ledger.of(f"{BURST}-{setting.size}", f"{RACE}-{setting.size}").to(setting.pod)
    right = int(rows.right.sum())
    if calls is not None and right > calls * setting.size:
        return f"{right} right answers out of {calls:.0f} model runs: more than {setting.size} in one"
    return ""


def unburst(batches: Batches, setting: Setting, seen: Sizes) -> Verdict | None:
    """Why these bursts tell nothing, if they do not."""
    bursts = 0
    for stream, within_s in ((BURST, BURST_WITHIN_S), (RACE, batches.delay_s + BURST_WITHIN_S)):
        rows = batches.ledger.of(f"{stream}-{setting.size}").to(setting.pod)
        for group in sorted(set(rows.group.tolist())):
            sent_s = rows.in_group(group).sent_s
            bursts += len(sent_s) > setting.size and float(sent_s.max() - sent_s.min()) <= within_s
    # A burst of four batches' worth holds at most four full ones.
    with_full = -(-seen.at_least(setting.size) // BURST_OF)
    if bursts < WANTED_BURSTS or with_full < WANTED_FULL:
        return inconclusive(
            f"{WANTED_BURSTS} bursts of more than {setting.size} within {BURST_WITHIN_S * 1000:g} ms, "
            f"{WANTED_FULL} with a full batch",
            f"at {setting.size}: {bursts} bursts, {with_full} for certain with a full batch",
            "give the generator a core of its own; if batches do not form, see B2",
            n=seen.runs,
        )
    if not seen.none_above(setting.size):
        return inconclusive(
            f"a histogram that can tell {setting.size} from {setting.size + 1}",
            f"at {setting.size}: a bucket that holds both",
            f"give {setting.size} a bucket of its own in the service's metrics",
            n=seen.runs,
        )
    return None
