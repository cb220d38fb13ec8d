"""Every request gets its own answer, however many are worked on at once.

Source: the cases of the contract's API, whose answers differ pairwise, and its large case; `batching`.
A wrong answer is held against what was expected of every other case, so that a swap is told from nonsense.
"""

import json
from collections import Counter
from collections.abc import Iterator

import numpy as np

from seatrial.contract import Api, Batching, Limits, Metrics
from seatrial.ledger import Ledger
from seatrial.stats.proportions import zero_event_bound
from seatrial.suite import check
from seatrial.trials.concurrency import (
    ANSWERS,
    FEW,
    LEAST_CLIENTS,
    LONE,
    LOOP,
    MOST_OF_TIME,
    ONE_CLIENT,
    REPETITIONS,
    ConcurrentLoad,
    Span,
)
from seatrial.trials.large_requests import ALONE, IN_COMPANY, LARGE, LARGE_ALONE, TOGETHER
from seatrial.trials.wrong_answers import WrongAnswers, beside
from seatrial.verdict import Ground, Measurement, Verdict

DISTINCT = 64
WHERE = {ALONE: "alone", IN_COMPANY: "in company", TOGETHER: "among as many at once as fill a batch"}
OPEN_SHARE = 0.75  # of the clients, on average


@check("B1", level="MUST", ablation=ONE_CLIENT)
def response_belongs_to_request(
    api: Api,
    batching: Batching | None,
    limits: Limits | None,
    metrics: Metrics | None,
    concurrent: ConcurrentLoad,
) -> Verdict:
    rows = answered(limits, concurrent.ledger.of(LOOP, FEW, LARGE).to(concurrent.pod))
    crowd, wrong = rows.of(LOOP, FEW), rows.select(~rows.right)
    if len(wrong) and len(wrong) == len(wrong.of(LARGE)):
        return only_the_large(api, rows.of(LARGE), wrong)
    ground = Ground(n=len(rows))
    if len(wrong):
        answers = WrongAnswers.of(api, wrong)
        astray = [f"row {each.row.row}: {each.row.case} got the answer of {each.owner}" for each in answers.foreign[:5]]
        return ground.with_(evidence=astray).failed(
            f"{len(rows)} requests, each with its own answer",
            answers.told(),
            answers.do(crowd, concurrent.ledger.of(LONE).to(concurrent.pod)),
            rows=answers.decisive,
        )
    if doubt := next(missing(api, batching, metrics, concurrent, rows), None):
        return ground.inconclusive(*doubt)
    names = set(crowd.texts("case"))
    fewer = f"; judged with the {len(names)} inputs that the contract has" if len(names) < DISTINCT else ""
    together = len(rows.of(LARGE).in_group(TOGETHER))
    bound, name = zero_event_bound(len(rows)), "answers not their request's"
    measured = Measurement(name, 0, n=len(rows), low=0.0, high=bound, confidence=0.95, limit="= 0")
    return ground.with_(measurements=[measured]).passed(
        f"{ANSWERS} or more requests of {concurrent.clients} clients at once, each with its own answer",
        f"{len(rows)} of {len(rows)}, {len(names)} distinct inputs{', and a large one' if api.large else ''}{fewer}",
        detects=f"{bound:.2%} of the answers going astray, at 95% confidence"
        + ("; a large request of which only the beginning is worked on" if api.large else "")
        + (f", also of {together} at once" if together else ""),
    )


def only_the_large(api: Api, large: Ledger, wrong: Ledger) -> Verdict:
    """All usual requests got their answers, and large ones did not."""
    first = next(iter(wrong))
    became = first.error or (f"answered {first.status}" if first.status >= 400 else beside(api.large, first))
    return Ground(n=len(large)).failed(
        "a large request answered to its end, alone and in company",
        f"{len(wrong)} of {len(large)} not, the first {WHERE[first.group]}: {became}",
        "work on the whole of a long request: what is looked for may stand at its end",
        rows=wrong,
    )


def answered(limits: Limits | None, rows: Ledger) -> Ledger:
    """Without those refused as the contract says the service may."""
    refusals = [reject.status for reject in limits.rejects] if limits else []
    return rows.select((rows.error != rows.code("")) | ~np.isin(rows.status, refusals))


def missing(
    api: Api, batching: Batching | None, metrics: Metrics | None, concurrent: ConcurrentLoad, rows: Ledger
) -> Iterator[tuple[str, str, str]]:
    """What has to be true for these answers to tell anything: expected, found, and what to do."""
    if unknown := sum(case.comparator == "any" for case in api.cases):
        yield (
            "cases whose answers are known",
            f"{unknown} of {len(api.cases)} that any answer will do for",
            "give `equals`, `contains` or `expect` for each",
        )
    crowd, large = rows.of(LOOP, FEW), rows.of(LARGE)
    if api.large and (doubt := too_few_large(large, concurrent)):
        yield doubt
    wanted_open = OPEN_SHARE * concurrent.most(max(concurrent.clients, LEAST_CLIENTS))
    if len(crowd) < ANSWERS or concurrent.open_at_once() < wanted_open:
        refused = len(concurrent.ledger.of(LOOP, FEW).to(concurrent.pod)) - len(crowd)
        yield (
            f"{ANSWERS} answers, {wanted_open:.3g} or more requests open at a time",
            f"{len(crowd)}, {concurrent.open_at_once():.1f} open, in {concurrent.loop.length_s:.0f} s"
            + (f", {refused} refused" if refused else ""),
            "raise the limit that refuses them, among the chart's values or those of batching"
            if refused > len(crowd)
            else "make the cases shorter, or run on a machine with more cores",
        )
    asked = len(set(crowd.texts("case")))
    if batching is None:
        return
    if asked < DISTINCT:
        yield f"{DISTINCT} distinct inputs", f"{asked}", "declare more cases, or a pattern"
    lengths = Counter(len(json.dumps(case.request)) for case in api.cases)
    if max(lengths.values()) < 2:
        yield "inputs of equal length among the cases", "none", "declare some of equal length: engines sort by it"
    size = concurrent.most(int(float(batching.max_size)))
    if size > 1:
        yield from unseen(metrics, concurrent, size)


def too_few_large(large: Ledger, concurrent: ConcurrentLoad) -> tuple[str, str, str] | None:
    """Large ones were not seen alone, or not in company though no limit keeps them out."""
    alone, company, together = (len(large.in_group(group)) for group in WHERE)
    wanted = concurrent.large_at_once
    if alone >= LARGE_ALONE and ((company and together >= wanted) or concurrent.slots is not None):
        return None
    return (
        f"{LARGE_ALONE} large requests alone, and some in company" + (f", {wanted} at once" if wanted else ""),
        f"{alone}, and {company}" + (f", {together}" if wanted else ""),
        "run again, or see what refuses them",
    )


def unseen(metrics: Metrics | None, concurrent: ConcurrentLoad, size: int) -> Iterator[tuple[str, str, str]]:
    """Batches of two sizes, the largest among them, or, where nothing counts them, their effect on the time."""
    metric = metrics.batch_size if metrics else ""
    if metric:
        seen = concurrent.sizes(metric, Span(concurrent.loop.start_s, concurrent.few.end_s))
        if seen is None or seen.kinds() < 2 or not seen.at_least(size):
            found = f"{seen.runs} batches of {seen.kinds()} sizes, {seen.at_least(size)} of {size}" if seen else "none"
            yield f"batches of two sizes, some of {size}, in {metric}", found, "see why batches do not form (B2)"
    else:
        shares = concurrent.shares_of_time()
        if len(shares) < REPETITIONS or max(share.most for share in shares) > MOST_OF_TIME:
            yield (
                f"{REPETITIONS} groups at once, each within {MOST_OF_TIME:.0%} of its time one by one",
                f"{sum(share.most <= MOST_OF_TIME for share in shares)} of {len(shares)} so",
                "declare metrics.batch_size, or see why batches do not form (B2)",
            )
