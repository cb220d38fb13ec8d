"""Programs that end with the process that waits for them, even when that is killed.

Such a program is started as `python -I -S lifetime.py PARENT PROGRAM [ARGUMENT ...]`, which asks the kernel for a
signal at its parent's end and becomes the program. That step takes some 15 ms; it imports no module of Seatrial. A
`preexec_fn` would save it, at the price of a real fork, before which OpenBLAS stops its threads: a process that forked
in one thread and multiplied matrices in another was seen to hang.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
# What we ignore would stay so in the program: SIGTERM while a run cleans up, and those that Python ignores.
_NOT_IGNORED = (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ)


def ending_with_us(command: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The command line for a program that is sent SIGTERM when this process ends, however it does.

    The kernel sends it when the *thread* ends that started the program. That is right for a thread that waits for
    the program's end: it ends first only when the whole process does. A program that is to outlive the thread that
    started it reads its stdin instead, which closes with the process. Needs Linux. Source: prctl(2), PR_SET_PDEATHSIG.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *(os.fspath(word) for word in command)]


def _become(parent: int, command: list[str]) -> None:
    for number in _NOT_IGNORED:
        signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:  # it ended before we asked
        sys.exit(128 + signal.SIGTERM)
    try:
        os.execvp(command[0], command)
    except OSError as reason:
        sys.exit(f"{command[0]}: expected a program that can be started, found {reason.strerror}")


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
