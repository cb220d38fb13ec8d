"""Start one container as a process: `python -I -S launcher.py SPEC_FD REPORT_FD`.

Runs before anything of Seatrial is imported (a container starts in tens of milliseconds), so it uses only
built-in modules and no name of this package. SPEC_FD holds one JSON object:

    parent        pid that must be our parent; if it has died meanwhile, nothing is started
    isolate       false: no namespaces, the process sees the machine as it is
    user_namespace  true: be user `uid`:`gid` inside, the caller outside; false: stay who we are
    uid, gid, hostname, argv, env, cwd
    root          an empty folder on which the new root is assembled
    private       host folders that start empty (/tmp, /root), as in a container
    mounts        [[source, target, read_only], ...]
    read_only_root
    enter         pid of a running container's first process: join its namespaces instead of making some

REPORT_FD gets `pid N` (the container's first process as the caller sees it), then `error TEXT` if it could
not be started; it closes without an error once the program runs. The launcher stays until the container has
ended and exits with its exit code, or 128 + the signal's number.

Lifetimes: the launcher dies with its parent, the container with the launcher, and everything in the container
with its PID 1, because the kernel sends SIGKILL on each of the three.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys

NEWNS, NEWUTS, NEWUSER, NEWPID = 0x00020000, 0x04000000, 0x10000000, 0x20000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE, MS_RELATIME = 1, 32, 4096, 16384, 1 << 18, 1 << 21
MS_NOSUID, MS_NODEV, MS_NOEXEC, MNT_DETACH, PR_SET_PDEATHSIG = 2, 4, 8, 2, 1
# statvfs spells this one flag differently from mount(2); the other flags kept at a remount have one number
ST_RELATIME, KEPT_FLAGS = 4096, 2 | 4 | 8 | 1024 | 2048
MOUNT_SETATTR, AT_RECURSIVE = 442, 0x8000  # one number on every architecture

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing is slow to import
    from typing import Any, NoReturn

    Spec = dict[str, Any]

libc = ctypes.CDLL(None, use_errno=True)


def call(what: str, result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str | None, target: str, kind: str | None = None, flags: int = 0, data: bytes | None = None) -> None:
    arguments = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    call(f"mount {source} on {target}", libc.mount(*arguments, ctypes.c_ulong(flags), data))


def bind(source: str, target: str, read_only: bool = False) -> None:
    mount(source, target, flags=MS_BIND | MS_REC)
    if read_only:
        # An unprivileged remount must repeat the flags that the mount already has.
        held = os.statvfs(target).f_flag
        flags = held & KEPT_FLAGS | (MS_RELATIME if held & ST_RELATIME else 0)
        mount(None, target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | flags)


def die_with(parent: int) -> None:
    """SIGKILL when the parent ends; it may have ended before we asked."""
    call("prctl", libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0))
    if os.getppid() != parent:
        os._exit(137)


def become(uid: int, gid: int) -> None:
    """Make a user namespace with one user in it."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    call("unshare user namespace", libc.unshare(NEWUSER))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {outer_uid} 1"),
        ("gid_map", f"{gid} {outer_gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def point(path: str, folder: bool) -> None:
    """Make an empty folder or file to mount on, unless there is one."""
    if folder:
        os.makedirs(path, exist_ok=True)
    elif not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def opened_folders(targets: list[tuple[str, bool]], private: set[str]) -> set[str]:
    """Host folders to rebuild entry by entry, so that mount points can be made without touching the host."""
    opened = {"/"}
    for target, folder in targets:
        if os.path.exists(target) and os.path.isdir(target) == folder:
            continue  # the host has a place to mount on
        parent = os.path.dirname(target)
        while parent != "/":
            if os.path.isdir(parent):
                opened.add(parent)
            parent = os.path.dirname(parent)
    opened.update(os.path.dirname(one) for one in private)
    return opened


def copy_folder(host: str, root: str, opened: set[str], private: set[str]) -> None:
    """Show the host's folder below `root`: bound whole where possible, entry by entry where it is opened."""
    try:
        entries = list(os.scandir(host))
    except PermissionError:
        return  # what the user may not read starts empty, as in an image
    for entry in entries:
        here = root + entry.path
        if entry.path == "/proc":
            os.mkdir(here)
        elif entry.is_symlink():
            os.symlink(os.readlink(entry.path), here)
        elif entry.path in private:
            os.mkdir(here)
            os.chmod(here, 0o1777)
        elif entry.is_dir():
            os.mkdir(here)
            if entry.path in opened:
                copy_folder(entry.path, root, opened, private)
            else:
                bind(entry.path, here)
        else:
            point(here, False)
            bind(entry.path, here)


def build_root(spec: Spec) -> None:
    root, private = spec["root"], set(spec["private"])
    mount(None, "/", flags=MS_REC | MS_PRIVATE)
    mount("seatrial", root, "tmpfs", MS_NOSUID | MS_NODEV, b"mode=0755")
    # A volume at /var/run/x means /run/x where /var/run is a link.
    mounts = sorted([os.path.realpath(target), source, read_only] for source, target, read_only in spec["mounts"])
    targets = [(target, os.path.isdir(source)) for target, source, _ in mounts] + [(spec["cwd"], True)]
    copy_folder("/", root, opened_folders(targets, private), private)
    for target, folder in targets:
        inside_another = any(target.startswith(other + "/") for other, _, _ in mounts)
        if not inside_another:
            point(root + target, folder)
    if spec["read_only_root"]:
        attributes = (ctypes.c_uint64 * 4)(MS_RDONLY, 0, 0, 0)
        result = libc.syscall(MOUNT_SETATTR, -100, os.fsencode(root), AT_RECURSIVE, ctypes.byref(attributes), 32)
        call("make the root read-only", result)
    for target, source, read_only in mounts:
        point(root + target, os.path.isdir(source))
        bind(source, root + target, read_only)
    point(root + spec["cwd"], True)  # a runtime makes a missing workingDir
    try:
        mount("proc", root + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except OSError:  # refused where a container masks parts of /proc
        bind("/proc", root + "/proc")
    os.chdir(root)
    call("pivot_root", libc.pivot_root(b".", b"."))
    call("detach the old root", libc.umount2(b".", MNT_DETACH))


def execute(spec: Spec) -> NoReturn:
    os.chdir(spec["cwd"])
    os.umask(0o022)
    # Python ignores these two, and an ignored signal stays ignored across exec.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    argv, env = spec["argv"], spec["env"]
    if "/" in argv[0]:
        os.execve(argv[0], argv, env)
    # os.execvpe would import modules from a file system that we have just left
    denied = None
    for folder in env.get("PATH", os.defpath).split(":"):
        try:
            os.execve(os.path.join(folder, argv[0]), argv, env)
        except PermissionError as error:
            denied = error
        except (FileNotFoundError, NotADirectoryError):
            continue
    raise denied or FileNotFoundError(2, "executable file not found in $PATH", argv[0])


def join(pid: int, user_namespace: bool) -> None:
    kinds = (["user"] if user_namespace else []) + ["mnt", "uts", "pid"]
    files = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in kinds]
    for kind, file in zip(kinds, files, strict=True):
        call(f"setns {kind}", libc.setns(file, 0))
        os.close(file)


def separate(spec: Spec) -> None:
    if spec["enter"]:
        join(spec["enter"], spec["user_namespace"])
        return
    if spec["user_namespace"]:
        become(spec["uid"], spec["gid"])
    call("unshare", libc.unshare(NEWNS | NEWPID | NEWUTS))
    hostname = os.fsencode(spec["hostname"])
    call("sethostname", libc.sethostname(hostname, len(hostname)))


def main(spec: Spec, report: int) -> NoReturn:
    die_with(spec["parent"])
    if not spec["isolate"]:
        os.write(report, b"pid %d\n" % os.getpid())
        execute(spec)
    separate(spec)
    die_with(spec["parent"])  # again: a change of user may clear it
    alive, launcher_ended = os.pipe()
    first = os.fork()
    if first == 0:
        libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)
        os.setsid()
        os.close(launcher_ended)
        os.set_blocking(alive, False)
        try:
            if os.read(alive, 1) == b"":
                os._exit(137)  # the launcher ended before prctl; getppid() is 0 across a PID namespace
        except BlockingIOError:
            pass
        if not spec["enter"]:
            build_root(spec)
        execute(spec)
    os.write(report, b"pid %d\n" % first)
    os.close(report)
    for descriptor in (0, 1, 2, alive):
        os.close(descriptor)  # the log ends when the container's own processes have ended
    code = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    spec_fd, report_fd = int(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(report_fd, False)
    with open(spec_fd) as file:
        wanted = json.load(file)
    try:
        main(wanted, report_fd)
    except OSError as error:
        named = f": {error.filename}" if error.filename else ""
        os.write(report_fd, f"error {error.strerror}{named}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)
