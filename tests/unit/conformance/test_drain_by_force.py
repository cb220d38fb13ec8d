"""D5 and D8: of a pod that had to be killed, what held it up, and what to do."""

import pytest

from seatrial.verdict import Outcome
from tests.helpers.drains import DRAIN, deletion, reset
from tests.helpers.observations import contract, judged

FAIL = Outcome.FAIL
CONTRACT = contract(drain=DRAIN)
DEAF = {"sign_s": None, "closed_s": None, "exit_codes": (137,), "exit_s": 12.5, "exit_seen_s": 12.6, "removed_s": 12.5}
KILLED = {"exit_codes": (137,), "exit_reason": "Error", "exit_s": 12.1, "exit_seen_s": 12.4, "removed_s": 12.2}
HEARD = {**KILLED, "sign_s": 0.01}


def without_kept(row, round):
    return None if row["load"].startswith("kept-") else row


def with_a_long_one(row, round):
    if row["load"] == "long":
        return reset(row, round.deleted_s + 12.3)
    return without_kept(row, round)


@pytest.mark.parametrize(
    ("how", "found", "do"),
    [
        ({**DEAF, "connects_until_s": 12}, "no sign that SIGTERM was heard", "exec the server as process 1"),
        (
            {**HEARD, "closed_s": None, "connects_until_s": 13},
            "kept connections were served and new ones accepted to the end",
            "`Connection: close`, and close kept connections that are idle; tell it to every worker",
        ),
        (
            {**HEARD, "closed_s": None, "connects_until_s": 13, "change": without_kept},
            "and new connections were accepted to the end",
            "pass it on",
        ),
        ({**HEARD, "closed_s": 4.2, "kept_stay": True}, "kept connections were served to the end", "Connection: close"),
        ({**HEARD, "change": with_a_long_one}, "8 requests from before it stayed open to the end", "bound the drain"),
        ({**HEARD, "change": without_kept}, "no request held up the end", "background work"),
        ({**KILLED, "exit_reason": "OOMKilled"}, "killed for its memory", "memory limit"),
        ({**KILLED, "exit_s": 5.0, "exit_seen_s": 5.3}, "the grace period was not over", "sends SIGKILL"),
        ({"exit_codes": (0, 137)}, "server ended by itself, side-1 did not", "container side-1"),
    ],
    ids=[
        "deaf",
        "both",
        "only a parent heard",
        "kept connections",
        "work",
        "something else",
        "memory",
        "early",
        "a sidecar",
    ],
)
@pytest.mark.parametrize("id", ["D5", "D8"])
def test_an_end_by_force_is_told_with_what_held_it_up(id, how, found, do):
    verdict = judged(id, CONTRACT, deletion(**how))
    assert verdict.outcome is FAIL
    assert found in verdict.found
    assert do in verdict.do


def test_a_signal_that_was_heard_is_not_to_be_made_heard():
    verdict = judged("D8", CONTRACT, deletion(**HEARD, closed_s=4.2, kept_stay=True))
    assert "SIGTERM was heard after 0.01 s" in verdict.found
    assert "process 1" not in verdict.do


def test_an_exit_code_that_is_not_declared_is_no_matter_of_the_signal():
    verdict = judged("D5", CONTRACT, deletion(exit_codes=(1,), exit_reason="Error"))
    assert "declared code" in verdict.do
    assert "SIGTERM" not in verdict.do
