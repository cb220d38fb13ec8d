"""No program that Seatrial waits for outlives it, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seatrial.lifetime import ending_with_us

HELM = """\
#!/bin/sh
echo $$ > {told}
exec sleep 600
"""
CALLS_HELM = """
import signal, sys, threading
from pathlib import Path
from seatrial.helm import HelmProgram

signal.signal(signal.SIGTERM, {sigterm})
call = threading.Thread(target=HelmProgram(Path(sys.argv[1])).version)  # as trials do: in a thread of their own
call.start()
call.join()
"""


def running(pid: int) -> bool:
    """A zombie has ended and waits for its parent only."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(holds):
    deadline_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


# What a run does with SIGTERM before the first one, and while it cleans up after it.
@pytest.mark.parametrize("sigterm", ["lambda *_: None", "signal.SIG_IGN"], ids=["handled", "ignored"])
def test_helm_ends_with_a_run_that_is_killed(tmp_path, sigterm):
    helm, told = tmp_path / "helm", tmp_path / "pid"
    helm.write_text(HELM.format(told=told))
    helm.chmod(0o755)
    parent = subprocess.Popen([sys.executable, "-c", CALLS_HELM.format(sigterm=sigterm), str(helm)])
    try:
        eventually(lambda: told.exists() and told.read_text().endswith("\n"))
        pid = int(told.read_text())
        assert running(pid)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    try:
        eventually(lambda: not running(pid))
    finally:
        if running(pid):
            os.kill(pid, signal.SIGKILL)


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_program_whose_parent_has_ended_meanwhile_does_not_begin():
    command = ending_with_us(["echo", "begun"])
    assert run(command).stdout == "begun\n"
    done = run(["sh", "-c", '"$@"; exit $?', "sh", *command])  # its parent is another than who asked for it
    assert (done.returncode, done.stdout) == (143, "")


@pytest.mark.parametrize("name", ["TERM", "PIPE", "XFSZ"])
def test_a_program_ignores_no_signal_that_its_parent_does(name):
    number = signal.Signals[f"SIG{name}"]
    before = signal.signal(number, signal.SIG_IGN)
    try:
        done = run(ending_with_us(["sh", "-c", f"kill -{name} $$; echo ignored"]))
    finally:
        signal.signal(number, before)
    assert (done.returncode, done.stdout) == (-number, "")


def test_a_program_that_cannot_be_started_is_told(tmp_path):
    helm = tmp_path / "helm"
    done = run(ending_with_us([helm]))
    assert done.returncode
    assert done.stderr == f"{helm}: expected a program that can be started, found No such file or directory\n"
