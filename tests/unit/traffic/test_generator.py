"""The runner's side: a real agent process, asked over its pipes."""

import resource
import signal
import threading
import time

import pytest

from seatrial.errors import ClusterError, InvalidMeasurement
from seatrial.ledger import RIGHT
from seatrial.traffic.channel import ExecChannel, ProcessChannel
from seatrial.traffic.generator import Generator
from seatrial.traffic.ledger_file import WHOLE, LedgerFile
from seatrial.traffic.plan import Exchange, Lone, OpenLoop, ServiceTarget
from seatrial.traffic.wire import Message, encode

EXCHANGE = Exchange("a", "GET", "/", expect={"a": 1})


@pytest.fixture
def generator():
    with Generator(ProcessChannel(), time.monotonic()) as one:
        yield one


def test_a_run_comes_back_as_a_ledger_on_the_runs_clock(generator, web):
    start_s = generator.now_s() + 0.2
    run = generator.start([OpenLoop("s", web, (EXCHANGE,), [start_s, start_s + 0.1])])
    ledger = run.collect(timeout_s=10)
    assert ledger.correct.tolist() == [RIGHT, RIGHT]
    assert ledger.scheduled_s.tolist() == pytest.approx([start_s, start_s + 0.1], abs=1e-6)
    assert start_s < ledger.ended_s.max() < generator.now_s()
    health = run.health()
    assert (health.scheduled, health.sent) == (2, 2)


def test_clocks_of_one_machine_agree_within_the_bound(generator):
    clock = generator.synchronise()
    assert abs(clock.offset_s) <= clock.bound_s


def test_the_self_test_of_the_agent_passes_and_is_kept_for_health(generator, web):
    assert generator.self_test() == ()
    run = generator.start([Lone("s", web, (EXCHANGE,), 0.0, 1, 0.0)])
    run.collect(timeout_s=10)
    assert run.health().self_test == ()


def test_several_threads_may_ask_at_once(generator, web):
    found = []

    def work():
        run = generator.start([Lone("s", web, (EXCHANGE,), generator.now_s(), 3, 0.01)])
        found.append(len(run.collect(timeout_s=10)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [3, 3, 3, 3]


def test_a_run_can_be_looked_at_and_stopped_before_its_end(generator, web):
    run = generator.start([OpenLoop("s", web, (EXCHANGE,), [generator.now_s(), generator.now_s() + 60])])
    with pytest.raises(InvalidMeasurement, match=r"within 0.5 s"):
        run.collect(timeout_s=0.5)
    assert [(len(rows), finished) for rows, finished in (run.fresh(), run.fresh())] == [(1, False), (0, False)]
    assert len(run.so_far(within_s=0.1)) == 1
    run.stop()
    assert len(run.collect(timeout_s=10)) == len(run.so_far(within_s=10)) == 1
    assert run.health().scheduled == 1


def test_a_load_can_begin_at_a_moment_of_the_runs_clock(generator, web):
    at_s = generator.now_s() + 0.5
    rows = generator.start_at([OpenLoop("s", web, (EXCHANGE,), [0.0, 0.25])], at_s).collect(timeout_s=20)
    assert rows.scheduled_s.tolist() == pytest.approx([at_s, at_s + 0.25], abs=1e-6)
    assert (rows.sent_s >= rows.scheduled_s).all()


def test_a_target_without_an_address_is_an_error_that_names_it(generator):
    with pytest.raises(ClusterError, match=r"no-such-host\.invalid"):
        generator.start([OpenLoop("s", ServiceTarget("x", "no-such-host.invalid", 1), (EXCHANGE,), [0.0])])


def test_a_request_that_the_agent_does_not_know_is_refused_and_not_left_open(generator):
    with pytest.raises(ClusterError, match="KeyError"):
        generator._ask("start", b'[{"kind": "Unheard"}]', run="r", origin_s=0.0)
    with pytest.raises(ClusterError, match=r"expected one of .*clock"):
        generator._ask("dance")


def test_a_generator_that_is_paused_is_not_called_too_small(generator, web):
    """It was kept from running: its lag shows that, and its CPU that one like it would do."""
    start_s = generator.now_s() + 0.2
    run = generator.start([OpenLoop("s", web, (EXCHANGE,), [start_s + n * 0.05 for n in range(40)])])
    process = generator._channel._process
    time.sleep(0.5)
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.8)
    process.send_signal(signal.SIGCONT)
    assert len(run.collect(timeout_s=30)) == 40
    health = run.health()
    assert not health.lag_bound_kept
    assert health.start_lag_max_s > 0.5
    assert health.processes_needed == 1


def test_a_generator_that_is_asked_for_more_than_it_can_says_how_many_it_takes(generator, web):
    start_s = generator.now_s() + 0.5
    nobody = ServiceTarget("nobody", "127.0.0.1", 1)
    run = generator.start([OpenLoop("s", nobody, (EXCHANGE,), [start_s + n * 1e-6 for n in range(20_000)])])
    run.collect(timeout_s=60)
    health = run.health()
    assert not health.lag_bound_kept
    assert health.processes_needed > 1


def test_an_agent_that_dies_is_an_error_and_not_a_wait(web):
    channel = ProcessChannel()
    generator = Generator(channel, time.monotonic())
    run = generator.start([OpenLoop("s", web, (EXCHANGE,), [generator.now_s() + 60])])
    threading.Timer(0.2, channel._process.kill).start()
    with pytest.raises(ClusterError, match="status -9"):
        run.collect(timeout_s=30)
    with pytest.raises(ClusterError, match="status -9"):
        run.health()
    generator.close()


def test_an_interpreter_that_is_not_there_is_named():
    with pytest.raises(ClusterError, match="/no/such/python"):
        Generator(ProcessChannel("/no/such/python"), 0.0)


def test_a_cluster_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ClusterError, match="pod ns/gen"):
        Generator(ExecChannel(tmp_path / "none", None, "ns", "gen"), 0.0)


class Babbler:
    """A channel whose other end is no agent."""

    def __init__(self, says):
        self._says = says

    def open(self, on_line, on_closed):
        self._on_line = on_line

    def send(self, lines):
        self._on_line(self._says)

    def close(self):
        pass


def test_something_else_than_an_agent_is_told_so():
    with pytest.raises(ClusterError, match="no agent says"):
        Generator(Babbler(b"Welcome to Ubuntu"), 0.0).synchronise()


def test_a_refusal_of_the_agent_is_told():
    refusal = encode(Message(1, {"error": "refused"}, b"expected a clock, found none")).strip()
    with pytest.raises(ClusterError, match="expected a clock, found none"):
        Generator(Babbler(refusal), 0.0).synchronise()


def test_a_run_may_keep_its_ledger_on_disk(generator, web, tmp_path):
    file = tmp_path / "l"
    run = generator.start_now([OpenLoop("s", web, (EXCHANGE,), [0.0, 0.1])], lead_s=0.2, file=file)
    run.finish(timeout_s=10)
    rows, finished = run.fresh()
    assert (len(rows), finished) == (2, True)
    assert len(run.fresh()[0]) == 0
    ledger = run.collect(timeout_s=10)
    assert ledger.correct.tolist() == [RIGHT, RIGHT]
    assert ledger.scheduled_s.tolist() == pytest.approx([run.start_s, run.start_s + 0.1], abs=1e-6)
    assert run.health().sent == 2
    with LedgerFile(file) as kept:
        assert (kept.end, len(kept)) == (WHOLE, 2)


def test_a_generator_that_is_killed_leaves_what_it_had_on_disk(generator, web, tmp_path):
    generator.start_now([OpenLoop("s", web, (EXCHANGE,), [n * 0.02 for n in range(3000)])], file=tmp_path / "l")
    for _ in range(100):
        time.sleep(0.1)
        with LedgerFile(tmp_path / "l") as kept:
            if len(kept):
                break
    generator._channel._process.kill()
    generator._channel._process.wait()
    with LedgerFile(tmp_path / "l") as kept:
        assert kept.end is None
        assert kept.ledger().texts("case") == ["a"] * len(kept) != []


def test_a_generator_whose_disk_fills_up_stops_and_says_so(generator, tmp_path):
    nobody = ServiceTarget("nobody", "127.0.0.1", 1)
    resource.prlimit(generator._channel._process.pid, resource.RLIMIT_FSIZE, (700_000, resource.RLIM_INFINITY))
    planned = [n / 3000 for n in range(30_000)]
    run = generator.start_now([OpenLoop("s", nobody, (EXCHANGE,), planned)], file=tmp_path / "l")
    with pytest.raises(InvalidMeasurement, match=r"expected room for the ledger.* found File too large after \d+ req"):
        run.finish(timeout_s=30)
    with pytest.raises(InvalidMeasurement, match="expected room for the ledger"):
        run.fresh()
    assert run.health().scheduled < 30_000
    with LedgerFile(tmp_path / "l") as kept:
        assert kept.ledger().texts("error") == ["refused"] * len(kept) != []


def test_a_place_for_the_ledger_that_is_none_is_named(generator, web, tmp_path):
    with pytest.raises(ClusterError, match=r"No such file or directory: '/.*/none/l'"):
        generator.start_now([Lone("s", web, (EXCHANGE,), 0.0, 1, 0.0)], file=tmp_path / "none" / "l")
