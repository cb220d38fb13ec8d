"""A contract whose own cases are not answered ends the run; a service that answers wrongly is judged."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from seatrial.contract import Contract
from seatrial.ledger import ledger
from seatrial.traffic.plan import PodTarget
from seatrial.trials import workload
from seatrial.trials.context import CasesNotAnswered
from seatrial.trials.first_answers import AGAIN, AGAIN_TIMES, is_mistaken, mistake
from seatrial.trials.sandbox.traffic import Traffic
from tests.helpers.observations import contract, lost, row, wrong

TARGET = PodTarget("a", "10.0.0.1", 8080)


def answered(*statuses, body='{"detail":"Not Found"}', headers=""):
    rows = [{**wrong(row("lone", n, case=f"c{n}"), body, status), "headers": headers} for n, status in
            enumerate(statuses)]  # fmt: skip
    return ledger(rows)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 405, 406, 410, 415, 422, 501])
def test_a_status_that_blames_the_request_for_what_it_is_is_the_contracts_mistake(status):
    assert is_mistaken(answered(status, status), ())


@pytest.mark.parametrize("status", [200, 204, 408, 409, 413, 423, 425, 429, 500, 502, 503, 504])
def test_any_other_status_is_the_services_doing(status):
    assert not is_mistaken(answered(status, status), ())


def test_one_case_that_is_answered_otherwise_is_enough_to_judge_the_service():
    assert not is_mistaken(answered(404, 404, 500), ())
    assert not is_mistaken(ledger([wrong(row("lone", 1), "", 404), row("lone", 2)]), ())
    assert not is_mistaken(ledger([wrong(row("lone", 1), "", 404), lost(row("lone", 2), "refused")]), ())


def test_nothing_asked_is_no_mistake():
    assert not is_mistaken(answered(), ())


def test_a_declared_refusal_is_no_mistake():
    assert not is_mistaken(answered(403, 403), (403,))


def said(rows, **inference):
    cases = [{"request": {"text": str(n)}, "expect": {"answer": n}, "name": f"c{n}"} for n in range(16)]
    given = {"path": "/v1/cuont", "cases": cases, **inference}
    promised = Contract.model_validate({"apiVersion": "seatrial/v1", "name": "subject", "inference": given})
    return mistake("inference", promised.api(), workload.cases(promised), rows)


def test_what_is_expected_stands_beside_what_was_found():
    assert said(answered(404, 404)) == (
        'inference.path: expected {"answer": 0} to case c0, found that POST /v1/cuont answered 404 '
        '({"detail":"Not Found"}) and nothing better to 2 requests; correct inference.path'
    )


@pytest.mark.parametrize(
    ("rows", "key", "do"),
    [
        (answered(405), "method", "correct inference.method"),
        (answered(501), "method", "correct inference.method"),
        (answered(401), "credentials", "give inference.credentials"),
        (answered(422), "cases", "correct the requests of inference.cases"),
        (answered(307, body="", headers='{"location": "/v1/count/"}'), "path", "correct inference.path"),
    ],
    ids=["another method", "no such method", "nobody", "another body", "elsewhere"],
)
def test_the_key_to_correct_is_named(rows, key, do):
    told = said(rows)
    assert told.startswith(f"inference.{key}: ")
    assert do in told


def test_where_a_redirect_leads_is_told():
    assert "answered 307 (to /v1/count/)" in said(answered(307, body="", headers='{"location": "/v1/count/"}'))


def test_of_a_protocol_with_its_own_paths_the_model_is_in_doubt_first():
    texts = [{"request": f"Count {n}", "contains": str(n), "name": f"c{n}"} for n in range(16)]
    told = said(answered(404), kind="openai-chat", path="", model="tiny", cases=texts)
    assert told.startswith('inference.model: expected a text with "0" in it to case c0, found that POST ')
    assert told.endswith("; correct inference.model, or inference.path")


# as trials ask


class Generator:
    """Answers the first `mistaken` times as an API that is another, then rightly; pod b is always right."""

    def __init__(self, mistaken):
        self.mistaken = mistaken
        self.asked = []

    def start_now(self, loads):
        self.asked.append(sum(load.count for load in loads))
        rows = [self.answer(load, n) for load in loads for n in range(load.count)]
        names = tuple(load.name for load in loads)
        return SimpleNamespace(name=f"run-{len(self.asked)}", loads=names, collect=lambda timeout_s: ledger(rows))

    def answer(self, load, n):
        answered = row(load.name, n, case="c0", target=load.target.pod)
        right = load.target.pod == "b" or len(self.asked) > self.mistaken
        return answered if right else wrong(answered, "", 404)


def traffic(generator, monkeypatch, *, is_planted=False, ready=(TARGET,), answered=()):
    limit = SimpleNamespace(left_s=lambda: 60.0, served=lambda s: None, sleep=lambda s: None)
    context = SimpleNamespace(
        limit=limit, contract=contract(), contract_file=Path("c.yaml"), is_planted=is_planted,
        injection=SimpleNamespace(ablations=()), answered=set(answered),
    )  # fmt: skip
    monkeypatch.setattr(Traffic, "generator", generator)
    return Traffic(context, "ns", lambda: ready)


def test_cases_that_are_never_answered_end_the_run(monkeypatch):
    generator = Generator(10**6)
    with pytest.raises(CasesNotAnswered) as raised:
        traffic(generator, monkeypatch).measure_lone(TARGET, workload.cases(contract()))
    assert str(raised.value).startswith("c.yaml, inference.path: expected {")
    assert f"to {12 + AGAIN * AGAIN_TIMES} requests" in str(raised.value)
    assert raised.value.exit_code == 3


def test_a_pod_that_is_ready_before_it_is_has_ten_seconds(monkeypatch):
    generator = Generator(AGAIN_TIMES)
    traffic(generator, monkeypatch).measure_lone(TARGET, workload.cases(contract()))
    assert generator.asked == [12, *[AGAIN] * AGAIN_TIMES]


def test_where_another_pod_answers_it_is_the_services_doing(monkeypatch):
    generator = Generator(10**6)
    both = (TARGET, PodTarget("b", "10.0.0.2", 8080))
    traffic(generator, monkeypatch, ready=both).measure_lone(TARGET, workload.cases(contract()))
    assert generator.asked == [12, 2 * AGAIN]


def test_a_contract_whose_cases_were_answered_once_in_a_run_is_right(monkeypatch):
    generator = Generator(10**6)
    traffic(generator, monkeypatch, answered=["inference"]).measure_lone(TARGET, workload.cases(contract()))
    assert generator.asked == [12]
    with pytest.raises(CasesNotAnswered):
        traffic(generator, monkeypatch, answered=["apis.other"]).measure_lone(TARGET, workload.cases(contract()))


def test_an_answer_is_remembered_for_the_rest_of_the_run(monkeypatch):
    sent = traffic(Generator(0), monkeypatch)
    sent.measure_lone(TARGET, workload.cases(contract()))
    assert sent._context.answered == {"inference"}


def test_a_healthy_service_is_asked_nothing_more(monkeypatch):
    generator = Generator(0)
    traffic(generator, monkeypatch).measure_lone(TARGET, workload.cases(contract()))
    assert generator.asked == [12]


def test_what_a_planted_fault_answers_is_judged(monkeypatch):
    generator = Generator(10**6)
    rows = traffic(generator, monkeypatch, is_planted=True).measure_lone(TARGET, workload.cases(contract()))
    assert (len(rows), generator.asked) == (12, [12])
