"""The launcher: what a container sees, and that nothing of it is left."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from seatrial.clusters.local.kubelet.execution import execute
from seatrial.clusters.local.kubelet.isolation import Isolation, probe
from seatrial.clusters.local.kubelet.process import LAUNCHER, Mount, Process, ProcessSpec, StartFailed, User, start

pytestmark = pytest.mark.local


NAMESPACES = ["as the caller", "in a user namespace"]


async def isolation_named(name: str) -> Isolation:
    if name == "no isolation":
        return Isolation(False, False, False)
    found = await probe()
    assert found.namespaces, f"this machine isolates nothing: {found}"
    if name == "as the caller" and found.user_namespace:
        pytest.skip("only root makes namespaces without a user namespace")
    return Isolation(True, name == "in a user namespace", True)


@pytest.fixture(params=[*NAMESPACES, "no isolation"])
async def isolation(request) -> Isolation:
    return await isolation_named(request.param)


@pytest.fixture(params=NAMESPACES)
async def isolated(request) -> Isolation:
    return await isolation_named(request.param)


def spec(isolation: Isolation, folder: Path, script: str, **fields) -> ProcessSpec:
    root = folder / "root"
    root.mkdir(exist_ok=True)
    defaults = {
        "argv": ["sh", "-c", script],
        "env": {"PATH": os.defpath},
        "cwd": "/",
        "root": root,
        "hostname": "web-0",
        "isolate": isolation.namespaces,
        "user_namespace": isolation.user_namespace,
    }
    return ProcessSpec(**(defaults | fields))


async def output(wanted: ProcessSpec) -> str:
    result = await execute(wanted)
    assert result.exit_code == 0, result
    return result.stdout.decode()


@asynccontextmanager
async def sleeping(isolation: Isolation, folder: Path) -> AsyncIterator[Process]:
    wanted = spec(isolation, folder, "", argv=["sleep", "600"])
    process = await start(wanted, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$; sleep 1; exit 9", None)])
async def test_the_exit_code_is_the_programs(isolation: Isolation, tmp_path: Path, script: str, code: int) -> None:
    result = await execute(spec(isolation, tmp_path, script))
    # PID 1 cannot kill itself: it is the reaper of its namespace.
    expected = code if code is not None else 9 if isolation.namespaces else 137
    assert result.exit_code == expected


async def test_a_program_that_does_not_exist_is_named(isolation: Isolation, tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="no-such-program") as failure:
        await start(spec(isolation, tmp_path, "", argv=["no-such-program"]), stdout=2, stderr=2)
    assert failure.value.code == 127


async def test_sigkill_is_137(isolation: Isolation, tmp_path: Path) -> None:
    async with sleeping(isolation, tmp_path) as process:
        process.kill()
        assert await process.wait() == 137


async def test_without_a_handler_pid_1_does_not_hear_sigterm(isolated: Isolation, tmp_path: Path) -> None:
    async with sleeping(isolated, tmp_path) as process:
        process.signal(signal.SIGTERM)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await process.wait()


async def test_volumes_appear_where_no_folder_exists(isolated: Isolation, tmp_path: Path) -> None:
    volume, file = tmp_path / "volume", tmp_path / "gateway.yaml"
    volume.mkdir()
    file.write_text("listen: 8080\n")
    mounts = [
        Mount(str(volume), "/model"),
        Mount(str(volume), "/root/.cache/huggingface"),
        Mount(str(file), "/app/gateway.yaml", read_only=True),
        Mount(str(file), "/var/run/secrets/kubernetes.io/token", read_only=True),
    ]
    script = "echo weights > /model/a && cat /root/.cache/huggingface/a /app/gateway.yaml /var/run/secrets/*/token"
    assert await output(spec(isolated, tmp_path, script, mounts=mounts)) == "weights\nlisten: 8080\nlisten: 8080\n"
    assert (volume / "a").read_text() == "weights\n"
    assert not Path("/model").exists()
    assert not Path("/app/gateway.yaml").exists()


async def test_a_read_only_mount_cannot_be_written(isolated: Isolation, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    mounts = [Mount(str(volume), "/model", read_only=True)]
    result = await execute(spec(isolated, tmp_path, "touch /model/a", mounts=mounts))
    assert b"Read-only file system" in result.stderr
    assert list(volume.iterdir()) == []


async def test_a_read_only_root_leaves_the_volumes_writable(isolated: Isolation, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    script = "touch /model/a; touch /a; touch /tmp/a; touch /usr/a"
    wanted = spec(isolated, tmp_path, script, mounts=[Mount(str(volume), "/model")], read_only_root=True)
    assert (await execute(wanted)).stderr.count(b"Read-only file system") == 3
    assert [entry.name for entry in volume.iterdir()] == ["a"]


async def test_tmp_and_home_are_the_containers_own(isolated: Isolation, tmp_path: Path) -> None:
    assert await output(spec(isolated, tmp_path, "ls -A /tmp /root; touch /tmp/mine")) == "/root:\n\n/tmp:\n"
    assert not Path("/tmp/mine").exists()


async def test_a_missing_working_directory_is_made_in_the_container_only(isolated: Isolation, tmp_path: Path) -> None:
    assert await output(spec(isolated, tmp_path, "pwd", cwd="/usr/seatrial/app")) == "/usr/seatrial/app\n"
    assert not Path("/usr/seatrial").exists()


async def test_the_container_has_its_own_processes_and_host_name(isolated: Isolation, tmp_path: Path) -> None:
    script = "echo $$; hostname; ls -d /proc/[0-9]* | wc -l"
    pid, hostname, processes = (await output(spec(isolated, tmp_path, script))).split()
    assert (pid, hostname) == ("1", "web-0")
    assert int(processes) <= 4


async def test_run_as_user_maps_the_caller_to_that_user(tmp_path: Path) -> None:
    wanted = spec(Isolation(True, True, True), tmp_path, "id -u; id -g", user=User(1000, 2000))
    assert await output(wanted) == "1000\n2000\n"


async def test_what_a_container_forked_ends_with_it(isolation: Isolation, tmp_path: Path) -> None:
    marker = f"sleep 60.{os.getpid()}"
    forking = spec(isolation, tmp_path, f"{marker} & wait")
    process = await start(forking, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wanted = marker.replace(" ", "\0").encode() + b"\0"
    async with asyncio.timeout(10):
        while not commands_running(wanted):
            await asyncio.sleep(0.02)
        process.kill()
        await process.wait()
        while commands_running(wanted):
            await asyncio.sleep(0.02)


def commands_running(command: bytes) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if Path("/proc", pid, "cmdline").read_bytes() == command:
                found.append(pid)
    return found


async def test_a_second_command_joins_the_container(isolated: Isolation, tmp_path: Path) -> None:
    first = spec(isolated, tmp_path, "echo here > /tmp/file; sleep 600", user=User(0, 0))
    process = await start(first, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    second = spec(isolated, tmp_path, "cat /tmp/file; hostname; cat; echo up >&2; exit 3", enter=process.pid)
    async with asyncio.timeout(10):
        while (await execute(spec(isolated, tmp_path, "test -e /tmp/file", enter=process.pid))).exit_code:
            await asyncio.sleep(0.05)
    result = await execute(second, stdin=AsyncMock(side_effect=[b"typed\n", b""]))
    assert (result.exit_code, result.stdout, result.stderr) == (3, b"here\nweb-0\ntyped\n", b"up\n")
    process.kill()
    await process.wait()


async def test_the_container_dies_with_whoever_started_it(isolation: Isolation, tmp_path: Path) -> None:
    starter = f"""
import asyncio, sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from unittest.mock import AsyncMock
from seatrial.clusters.local.kubelet.process import ProcessSpec, start
async def main():
    spec = ProcessSpec(["sleep", "600"], {{"PATH": {os.defpath!r}}}, "/", Path({str(tmp_path)!r}), "web-0",
                       isolate={isolation.namespaces}, user_namespace={isolation.user_namespace})
    process = await start(spec, stdout=2, stderr=2)
    print(process.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", starter, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(10):
        while alive(pid):
            await asyncio.sleep(0.005)


def alive(pid: int) -> bool:
    """A zombie that nobody reaps is dead too."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def test_no_mount_is_left_on_the_host() -> None:
    assert "seatrial" not in Path("/proc/self/mounts").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which only root can")
async def test_an_ordinary_user_can_do_the_same(tmp_path: Path) -> None:
    """The launcher as nobody, with the system's Python: a home of root is not readable to it."""
    folder = Path("/var/tmp") / f"seatrial-test-{os.getpid()}"
    folder.mkdir(mode=0o755)
    root, volume = folder / "root", folder / "volume"
    try:
        for path in (root, volume):
            path.mkdir()
            os.chown(path, 65534, 65534)
        script = f"""
import os, json, subprocess
spec = {{"parent": os.getpid(), "isolate": True, "user_namespace": True, "uid": 0, "gid": 0, "hostname": "web-0",
        "argv": ["/bin/sh", "-c", "id -u; echo a > /root/.cache/models/a; ls /root/.cache/models"], "cwd": "/",
        "env": {{}}, "root": {str(root)!r}, "private": ["/tmp", "/root"], "read_only_root": False, "enter": None,
        "mounts": [[{str(volume)!r}, "/root/.cache/models", False]]}}
read, write = os.pipe()
os.write(write, json.dumps(spec).encode())
os.close(write)
os.set_inheritable(read, True)
report, end = os.pipe()
os.set_inheritable(end, True)
code = open({str(LAUNCHER)!r}).read()
subprocess.run(["/usr/bin/python3", "-I", "-S", "-c", code, str(read), str(end)], close_fds=False, timeout=20)
"""
        if not Path("/usr/bin/python3").exists():
            pytest.skip("needs a Python that every user may run")
        done = subprocess.run(
            ["/usr/bin/python3", "-c", script], user=65534, group=65534, extra_groups=[], cwd="/", capture_output=True
        )
        assert done.stdout.decode().split() == ["0", "a"], done.stderr.decode()
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)
