"""The exit status follows from the MUSTs; a certificate needs enough of them."""

import pytest

from seatrial.record import VerdictEntry, summarise
from seatrial.verdict import Verdict, errored, failed, inconclusive, passed, skipped

PASS = passed("x", "x")
FAIL = failed("x", "y", "z")
UNSURE = inconclusive("x", "y", "z")
SKIP = skipped("not promised")
ERROR = errored("x", "y")


def entries(*pairs: tuple[str, Verdict]) -> list[VerdictEntry]:
    return [VerdictEntry(f"X{i}", level, "t", verdict) for i, (level, verdict) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("pairs", "exit_status"),
    [
        ([("MUST", PASS)], 0),
        ([("MUST", PASS), ("SHOULD", FAIL)], 0),
        ([("MUST", PASS), ("SHOULD", UNSURE)], 0),
        ([("MUST", PASS), ("MUST", SKIP)], 0),
        ([("MUST", PASS), ("MUST", FAIL)], 1),
        ([("MUST", FAIL), ("MUST", UNSURE), ("MUST", ERROR)], 1),
        ([("MUST", PASS), ("MUST", UNSURE)], 2),
        ([("MUST", PASS), ("MUST", ERROR)], 2),
        ([("MUST", PASS), ("SHOULD", ERROR)], 2),
        ([("MUST", SKIP)], 2),
        ([("SHOULD", PASS)], 2),
        ([], 2),
    ],
)
def test_exit_status(pairs, exit_status):
    assert summarise(entries(*pairs)).exit_status == exit_status


@pytest.mark.parametrize(("musts", "certified"), [(19, False), (20, True)])
def test_a_certificate_needs_twenty_musts(musts, certified):
    summary = summarise(entries(*[("MUST", PASS)] * musts, *[("MUST", SKIP)] * 5))
    assert (summary.exit_status, summary.applicable_musts, summary.certified) == (0, musts, certified)


def test_one_failed_must_costs_the_certificate():
    assert not summarise(entries(*[("MUST", PASS)] * 30, ("MUST", FAIL))).certified
