"""`seatrial load` on a chat service that streams: what is reported against what the server knows that it did."""

import asyncio
import threading
import time

import numpy as np
import orjson
import pytest
import yaml
from click.testing import CliRunner

from benchmarks.peers.stream_server import Clock
from seatrial.cli.load import load

EVERY_S = 0.05
EARLY_S = 0.002  # timers of event loops count whole milliseconds


class Witnessed(Clock):
    """Remembers when it was asked, and when it wrote each event."""

    def __init__(self, streams):
        super().__init__(events=0, every_s=EVERY_S)
        self.streams = streams

    def data_received(self, data):
        super().data_received(data)
        if self.left:
            self.streams.append({"events": self.left, "asked_s": time.monotonic(), "written_s": []})
            self.mine = self.streams[-1]

    def tick(self):
        self.mine["written_s"].append(time.monotonic())
        super().tick()


@pytest.fixture
def server():
    """The port of a server in a thread of its own, and its streams as it knows them."""
    loop = asyncio.new_event_loop()
    streams = []
    listening = loop.run_until_complete(loop.create_server(lambda: Witnessed(streams), "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield listening.sockets[0].getsockname()[1], streams
    loop.call_soon_threadsafe(listening.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


LOCUST_FILE = """
from seatrial.traffic.adapters.openai_chat import OpenAIChat
from seatrial.loads.locust_user import OpenLoopUser

class Ask(OpenLoopUser):
    def exchanges(self):
        return [OpenAIChat("clock", parameters={"max_tokens": 5}).exchange("time", "What time is it?")]
"""


def run(folder, port, stage, loadtest="ask", **slos):
    """The document that a scenario with this stage ends in."""
    (folder / "ask.py").write_text(LOCUST_FILE)
    document = {"apiVersion": "seatrial/v1", "question": "?", "loadtest": loadtest, "stages": [stage], "slos": slos}
    (folder / "ask.yaml").write_text(yaml.safe_dump(document))
    arguments = [str(folder / "ask.yaml"), "--host", f"http://127.0.0.1:{port}", "--json", "-q"]
    found = CliRunner().invoke(load, arguments, standalone_mode=False)
    if found.exception:
        raise found.exception
    return orjson.loads(found.stdout)


def values(distribution):
    return {quantile["percentile"]: quantile["value"] for quantile in distribution["quantiles"]}


def test_what_is_reported_is_what_the_server_did(server, tmp_path):
    port, streams = server
    found = run(
        tmp_path, port, {"name": "base", "rate_rps": 20, "arrivals": "constant", "duration_s": 2},
        ttft_s={"p50": EVERY_S / 2}, longest_gap_s={"p50": 30.0},
        goodput={"deadline_s": 30.0, "ttft_s": 30.0, "tpot_s": 30.0, "at_least_ratio": 0.5},
    )  # fmt: skip
    (stage,) = found["stages"]
    inference = stage["inference"]
    assert len(streams) == stage["scheduled"] == stage["good"] == 40
    assert {len(stream["written_s"]) for stream in streams} == {5}
    assert (inference["ttft_s"]["n"], inference["itl_s"]["n"]) == (40, 40 * 4)
    assert inference["output_tokens_per_s"] == 40 * 5 / 2
    assert inference["input_tokens_per_s"] is None  # the server does not say

    # No event is there before it is written: this holds however slow the machine is.
    first_written_s = np.array([stream["written_s"][0] - stream["asked_s"] for stream in streams])
    last_written_s = np.array([stream["written_s"][-1] - stream["asked_s"] for stream in streams])
    assert min(values(inference["ttft_s"]).values()) >= np.sort(first_written_s)[len(streams) // 2 - 1] - EARLY_S
    assert values(inference["ttft_s"])[50] >= EVERY_S - EARLY_S
    assert stage["latency_s"][0]["value"] >= np.sort(last_written_s)[len(streams) // 2 - 1] - EARLY_S
    assert values(inference["normalised_s"])[50] == pytest.approx(stage["latency_s"][0]["value"] / 5)

    # Half of all gaps being off by half a gap would take more than a busy machine.
    gaps_s = np.concatenate([np.diff(stream["written_s"]) for stream in streams])
    assert values(inference["itl_s"])[50] == pytest.approx(np.median(gaps_s), abs=EVERY_S / 2)
    assert values(inference["tpot_s"])[50] == pytest.approx(np.median(gaps_s), abs=EVERY_S / 2)
    assert values(inference["longest_gap_s"])[50] >= values(inference["itl_s"])[50]

    # The first token cannot come in half the time that the server takes for it; nothing takes 30 s.
    assert {answer["objective"].split(" <=")[0]: answer["outcome"] for answer in found["answers"]} == {
        "TTFT p50": "missed", "longest gap p50": "held", "right within 30 s with TTFT": "held",
    }  # fmt: skip


def test_a_replayed_trace_asks_for_as_much_as_its_lines_say(server, tmp_path):
    port, streams = server
    (tmp_path / "t.csv").write_text("timestamp,prompt_tokens,output_tokens\n0,3,2\n0.2,40,4\n0.4,3,1\n0.6,2000,3\n")
    stage = {"name": "replay", "trace": {"file": "t.csv"}, "duration_s": 0.7}
    (replay,) = run(tmp_path, port, stage, loadtest="chat", error_ratio=0.5)["stages"]
    assert sorted(stream["events"] for stream in streams) == [1, 2, 3, 4]
    assert replay["good"] == 4
    assert replay["inference"]["output_tokens_per_s"] * 0.7 == pytest.approx(2 + 4 + 1 + 3)
    assert (replay["inference"]["ttft_s"]["n"], replay["inference"]["itl_s"]["n"]) == (4, 1 + 3 + 0 + 2)
