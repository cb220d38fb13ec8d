"""A StatefulSet makes its pods anew under their names: each deletion is judged by its own pod."""

from dataclasses import replace

import pytest

from seatrial.verdict import Outcome
from tests.helpers.drains import DRAIN, Story, told
from tests.helpers.observations import contract, judged

CHECKS = ["D1", "D4", "D5", "D7", "D8"]
NAMES = ["subject-0", "subject-1", "subject-0", "subject-1"]
STORIES = [Story(0), Story(1), Story(2), Story(3, loaded=False, exit_s=2.2, exit_seen_s=2.4, removed_s=2.3)]
KILLED = {"exit_codes": (137,), "exit_reason": "Error", "exit_s": 11.6, "exit_seen_s": 11.8, "closed_s": None}


def verdict(id, stories):
    return judged(id, contract(drain=DRAIN), told(stories, None))


def named(stories):
    """The same deletions, of two pods in turn that keep their names."""
    return [replace(story, name=name) for story, name in zip(stories, NAMES, strict=True)]


@pytest.mark.parametrize("id", CHECKS)
def test_pods_that_keep_their_names_are_judged_as_others_are(id):
    found = verdict(id, named(STORIES))
    assert found.outcome is Outcome.PASS
    assert found.found == verdict(id, STORIES).found


def test_the_end_of_a_later_pod_of_the_name_is_not_the_end_of_the_first():
    """Without its own end seen, the first deletion has none: the last of the same name, a kill, is another pod's."""
    vanished = [replace(STORIES[0], exit_seen_s=None), STORIES[1], replace(STORIES[2], **KILLED), STORIES[3]]
    seen = told(named(vanished), None)
    assert [[end.exit_code for end in seen.exits(round)] for round in seen.rounds] == [[], [0], [137], [0]]
