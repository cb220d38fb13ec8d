"""The record of a load of as many made-up requests as it is told, as `seatrial load` leaves it. Prints how many.

They are due where a scenario of one stage puts them, at 5,000/s, and end after a time that is drawn; of 500 one fails.
With a third number, each is a stream of so many events.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from seatrial.ledger import Floats
from seatrial.loads.locust_run import LEDGER_FILE, Recorded
from seatrial.loads.scenario import Scenario
from seatrial.loads.schedule import due, windows
from seatrial.observation import GeneratorHealth
from seatrial.record import new_run_id
from seatrial.suite.load import finish, load_record
from seatrial.suite.objectives import reported
from seatrial.traffic.chunk import DTYPE, Chunk
from seatrial.traffic.ledger_writer import write

RATE_RPS, START_S, AT_ONCE = 5000.0, 0.5, 4096
TEXTS = ("", "only", "hello", "reset", "no [DONE]")
SLOS = {
    "error_ratio": 0.01,
    "latency_s": {"p50": 0.05, "p99": 0.5},
    "goodput": {"deadline_s": 0.4, "at_least_ratio": 0.9},
}
OF_STREAMS = {"ttft_s": {"p90": 1.0}, "longest_gap_s": {"p90": 0.5}}


def main(requests: int, folder: Path, events: int = 0) -> None:
    slos = SLOS | (OF_STREAMS if events else {})
    stage = {"name": "only", "rate_rps": RATE_RPS, "duration_s": requests / RATE_RPS}
    asked = {"apiVersion": "seatrial/v1", "question": "What does its report take?", "loadtest": "made"}
    scenario = Scenario.model_validate({**asked, "stages": [stage], "slos": slos})
    (window,) = windows(scenario, START_S)
    due_s = due(window)
    with load_record(folder, new_run_id(), scenario, Path(__file__), "http://127.0.0.1", "this machine") as record:
        ledger = folder / LEDGER_FILE
        write(ledger, chunks(due_s, events), len(due_s))
        health = GeneratorHealth(len(due_s), len(due_s), 1e-4, 1e-3, 1e-3, 1e-5)
        recorded = Recorded((ledger,), health, stopped=False, start_s=START_S)
        finish(record, scenario, recorded, reported(scenario, recorded), b"{}")
    print(json.dumps({"requests": len(due_s)}))


def chunks(due_s: Floats, events: int) -> Iterator[Chunk]:
    """The rows in the order of their ends, as a recorder gives them away."""
    draw = np.random.Generator(np.random.PCG64(1))
    took_s = draw.lognormal(-4.0, 1.0, len(due_s))
    order = np.argsort(due_s + took_s)
    for first in range(0, len(due_s), AT_ONCE):
        which = order[first : first + AT_ONCE]
        rows = np.zeros(len(which), DTYPE)
        rows["scheduled_s"] = due_s[which]
        rows["sent_s"] = rows["connected_s"] = rows["body_sent_s"] = due_s[which] + 1e-4
        rows["first_byte_s"] = rows["ended_s"] = rows["closed_s"] = due_s[which] + took_s[which]
        rows["load"], rows["case"], rows["status"] = TEXTS.index("only"), TEXTS.index("hello"), 200
        rows["correct"], rows["input_tokens"], rows["output_tokens"] = 1, 30 if events else -1, events or -1
        failed = draw.random(len(which)) < 0.002
        rows["correct"][failed] = 0
        rows["error"][failed & (which % 2 == 0)] = TEXTS.index("reset")
        rows["problem"][failed] = TEXTS.index("no [DONE]")
        rows["events"], rows["first_event"] = events, np.arange(len(which)) * events
        shares = np.sort(draw.random((len(which), events)), axis=1)
        event_s = (due_s[which, None] + took_s[which, None] * shares).ravel()
        yield Chunk(rows, event_s, np.empty(0), len(TEXTS) if first else 0, () if first else TEXTS)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
