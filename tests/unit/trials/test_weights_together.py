"""What two sandboxes saw is told as one observation, and stays told apart by their names."""

from seatrial.observation import ObservedDependency, Switch
from seatrial.trials.together import together
from tests.helpers.observations import common


def seen_by(sandbox, *dependencies, **marks):
    return {**common(), "trial": sandbox, "marks": marks, "dependencies": dependencies}


def database(*switches):
    return ObservedDependency("database", "postgres", "database", "postgres 16.2, a process", switches, ())


def test_dependencies_of_every_sandbox_are_kept_under_names_of_their_own():
    """Each sandbox brings its own server: what was done to one, and what it was asked, says nothing about the other."""
    cut = Switch("cut", 1.0, 1.1)
    whole = together("weights", [seen_by("missing", database()), seen_by("truncated", database(cut))])
    assert [(dependency.name, dependency.switches) for dependency in whole["dependencies"]] == [
        ("missing-database", ()),
        ("truncated-database", (cut,)),
    ]


def test_moments_of_every_sandbox_are_kept_under_names_of_their_own():
    whole = together("weights", [seen_by("missing", repaired=60.0), seen_by("truncated", repaired=61.0)])
    assert whole["marks"] == {"missing-repaired": 60.0, "truncated-repaired": 61.0}
