"""Ctrl-C ends the program at once with its own status, whatever trials still run in threads of their own."""

import subprocess
import sys

BUSY = """
import threading, time
from seatrial.cli import main as module

def busy(**options):
    threading.Thread(target=time.sleep, args=(600,)).start()
    raise KeyboardInterrupt

module.seatrial_command = busy
module._add_commands = lambda: None
module.main()
"""


def test_ctrl_c_waits_for_no_trial():
    ended = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == "seatrial: interrupted; the record so far is kept\n"
