"""An observation that was written and read back is judged as it was."""

import pytest

from seatrial.record.codec import observation_from_files, observation_to_files
from tests.helpers import rate_limits
from tests.helpers.drains import DRAIN, deletion
from tests.helpers.installs import install
from tests.helpers.observations import checks, contract
from tests.helpers.overloads import CONCURRENCY, PROBES, overload
from tests.helpers.rate_limits import rate_limited, slow_refill

CONTRACT = contract(
    drain=DRAIN, probes=PROBES, restart=["x"], limits={"rate": rate_limits.LIMIT, "concurrency": CONCURRENCY}
)
GOOD = {
    "deletion": deletion,
    "overload": overload,
    "limited": lambda: rate_limited(slow=slow_refill()),
    "install": install,
}
BROKEN = {
    "deletion": lambda: deletion(closed_s=0.3, exit_codes=(137,), grace_s=5.0),
    "overload": lambda: overload(change=lambda row: {**row, "status": 500} if row["status"] == 503 else row),
    "limited": lambda: rate_limited(retry_after="", probe_tokens=True),
    "install": lambda: install(change=lambda row: {**row, "correct": 0, "status": 302}),
}
IDS = ["P1", "P5", "P10", "P11", "D1", "D4", "D5", "D7", "D8", "L1", "L2", "L3", "L6", "L8"]


@pytest.mark.parametrize("made", [GOOD, BROKEN], ids=["good", "broken"])
def test_every_check_says_the_same_of_what_was_read_back(made, tmp_path):
    seen = {name: make() for name, make in made.items()}
    read = {}
    for name, observation in seen.items():
        (tmp_path / name).mkdir()
        observation_to_files(tmp_path / name, observation)
        read[name] = observation_from_files(tmp_path / name, type(observation))
    for id in IDS:
        check = checks()[id]
        given = check.of_contract(CONTRACT)
        first = check.function(**{name: seen[name] for name in check.observes()}, **given)
        again = check.function(**{name: read[name] for name in check.observes()}, **given)
        assert again == first, id
