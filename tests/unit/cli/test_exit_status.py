"""A run that is stopped or refused ends at once with its own status, whatever trials still run in threads."""

import os
import signal
import subprocess
import sys
import threading

BUSY = """
import threading, time
from seatrial.cli import main as module

def busy(**options):
    threading.Thread(target=time.sleep, args=(600,)).start()
    raise KeyboardInterrupt

module.seatrial_command = busy
module.main()
"""


def test_ctrl_c_waits_for_no_trial():
    ended = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == "seatrial: stopped by Ctrl-C\n"


REFUSED = """
import threading, time
from seatrial.cli import main as module
from seatrial.errors import InputError

def busy(**options):
    print("so far", end="")
    threading.Thread(target=time.sleep, args=(600,)).start()
    raise InputError("contract.yaml, inference.path: correct it")

module.seatrial_command = busy
module.main()
"""


def test_a_run_that_is_refused_while_trials_run_waits_for_none_of_them():
    ended = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (3, "so far")
    assert ended.stderr == "seatrial: contract.yaml, inference.path: correct it\n"


CANCELLED = """
import sys, threading, time
from seatrial.cli import main as module

@module.seatrial_command.command()
def busy():
    threading.Thread(target=time.sleep, args=(600,)).start()
    try:
        print("at work", flush=True)
        time.sleep(600)
    finally:
        print("cleaned up", flush=True)

sys.argv = ["seatrial", "busy"]
module.main()
"""


def test_sigterm_cleans_up_as_ctrl_c_does():
    running = subprocess.Popen([sys.executable, "-c", CANCELLED], stdout=subprocess.PIPE, text=True)
    assert running.stdout.readline() == "at work\n"
    running.send_signal(signal.SIGTERM)
    assert running.communicate(timeout=60)[0] == "cleaned up\n"
    assert running.returncode == 143


def test_a_command_line_that_is_run_within_a_process_leaves_it_and_its_threads_alone(seatrial, monkeypatch):
    ended, over, on_sigterm = [], threading.Event(), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(os, "_exit", ended.append)
    beside = threading.Thread(target=over.wait)
    beside.start()
    try:
        status, told = seatrial("verify", "nowhere")
        assert (status, "nowhere: expected the folder of a run record" in told) == (3, True)
        assert (ended, beside.is_alive(), signal.getsignal(signal.SIGTERM)) == ([], True, on_sigterm)
    finally:
        over.set()
        beside.join()
