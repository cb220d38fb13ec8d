"""Container processes: started through the launcher, signalled, awaited.

Must be called from a thread that outlives the containers (the event loop's): the kernel ties their lifetime to
the thread that started them.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")
# Start empty in every container, as in an image; whatever a process needs of them is a mount.
PRIVATE_FOLDERS = ("/tmp", "/root")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the host shown in the container."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """The user a container runs as; the caller's own files seem to belong to it."""

    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """All that the launcher needs to start one container."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    root: Path
    hostname: str
    mounts: Sequence[Mount] = ()
    user: User = User()
    isolate: bool = True
    user_namespace: bool = False
    read_only_root: bool = False
    enter: int | None = None  # join the container with this first process (exec) instead of starting a new one

    def for_launcher(self) -> bytes:
        """The JSON object that `launcher.py` documents."""
        fields = asdict(self)
        user = fields.pop("user")
        fields |= {"mounts": [list(mount.values()) for mount in fields["mounts"]], "root": str(self.root)}
        fields |= {"private": PRIVATE_FOLDERS, "parent": os.getpid(), "env": dict(self.env), "argv": list(self.argv)}
        return json.dumps(fields | user).encode()


class StartFailed(Exception):
    """The process never ran; `code` is what a container runtime reports (127 not found, 126 not runnable)."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Process:
    """One started process tree. `pid` is its first process (PID 1 of the container) as this machine counts."""

    def __init__(self, launcher: subprocess.Popen[bytes], pid: int, isolated: bool) -> None:
        self.pid = pid
        self._launcher = launcher
        self.isolated = isolated
        self._exit_code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._watched = os.pidfd_open(launcher.pid)
        asyncio.get_running_loop().add_reader(self._watched, self._ended)

    def _ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._watched)
        os.close(self._watched)
        code = self._launcher.wait()
        if not self.isolated:
            self._kill_session()  # without a PID namespace what it forked lives on
        if not self._exit_code.done():
            self._exit_code.set_result(code if code >= 0 else 128 - code)

    @property
    def running(self) -> bool:
        return not self._exit_code.done()

    def on_exit(self, callback: Callable[[int], object]) -> None:
        """Call with the exit code, before anybody who waits learns it if registered first."""
        self._exit_code.add_done_callback(lambda future: callback(future.result()))

    async def wait(self) -> int:
        """The exit code, or 128 + the signal's number, once every process of the container has ended."""
        return await asyncio.shield(self._exit_code)

    def signal(self, number: signal.Signals) -> None:
        """Signal the first process only, as a container runtime does."""
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to everything in the container."""
        self.signal(signal.SIGKILL)

    def _kill_session(self) -> None:
        for pid in processes_of_session(self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def processes_of_session(session: int) -> list[int]:
    """Pids of a session, from /proc: field 6 of stat, counted after the command's closing parenthesis."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            fields = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                found.append(int(name))
    return found


async def start(spec: ProcessSpec, *, stdin: int = subprocess.DEVNULL, stdout: int, stderr: int) -> Process:
    """Start a process; returns once the program has been exec'ed. Raises StartFailed.

    stdin, stdout and stderr are file descriptors; the caller closes its copies.
    """
    spec_fd = os.memfd_create("seatrial-container")  # environments hold secrets: nothing on disk
    report, report_end = os.pipe()
    try:
        os.write(spec_fd, spec.for_launcher())
        os.lseek(spec_fd, 0, os.SEEK_SET)
        launcher = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCHER), str(spec_fd), str(report_end)],
            pass_fds=(spec_fd, report_end),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            cwd="/",
        )
    except BaseException:
        os.close(report)
        raise
    finally:
        os.close(spec_fd)
        os.close(report_end)
    try:
        told = await _read_to_end(report)
    except BaseException:
        launcher.kill()
        launcher.wait()
        raise
    return _started(launcher, told, spec.isolate)


def _started(launcher: subprocess.Popen[bytes], told: str, isolated: bool) -> Process:
    lines = dict(line.partition(" ")[::2] for line in told.splitlines())
    if "error" in lines or "pid" not in lines:
        code = launcher.wait()  # it ends by itself, with the code that belongs to the error
        raise StartFailed(lines.get("error", "the launcher ended before the program started"), code)
    return Process(launcher, int(lines["pid"]), isolated)


async def _read_to_end(descriptor: int) -> str:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    try:
        return (await reader.read()).decode()
    finally:
        transport.close()
