"""From a container of a pod to the process that the launcher starts."""

import itertools
import os
import re
import site
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seatrial.clusters.local.kubelet.environment import (
    ConfigError,
    command_line,
    container_env,
    service_variables,
)
from seatrial.clusters.local.kubelet.images import IMAGE_PATH, Image
from seatrial.clusters.local.kubelet.process import PRIVATE_FOLDERS, Mount, ProcessSpec, User
from seatrial.clusters.local.kubelet.sandbox import Sandbox
from seatrial.clusters.local.store import Store

Obj = dict[str, Any]

TERMINATION_LOG = "/dev/termination-log"


def process_spec(sandbox: Sandbox, container: Obj, image: Image, folder: Path) -> ProcessSpec:
    """Everything resolved. `folder` is the container's own. Raises ConfigError where something is missing."""
    image = image.at(sandbox.ip)
    user = _user(sandbox.pod, container, image)
    env = _environment(sandbox, container, image, user)
    argv = command_line(container, image.command, env)
    if container.get("command"):
        argv = image.called(argv)
    if not argv:
        raise ConfigError("no command specified; give the container a command, its image has none")
    if argv[0] in ("python", "python3"):
        argv[0] = sys.executable
    mounts = [*sandbox.mounts(), _termination_log(container, folder), *sandbox.volumes.mounts(container, env)]
    isolation, cwd = sandbox.context.isolation, container.get("workingDir") or image.working_dir
    root = folder / "root"
    root.mkdir(parents=True, exist_ok=True)
    if not isolation.namespaces:
        env = {name: _replace(value, mounts) for name, value in env.items()}
        cwd = _replace(cwd, mounts)
        cwd = cwd if Path(cwd).is_dir() else str(folder)
        bare = ProcessSpec(argv, env, cwd, root, sandbox.hostname, mounts, isolate=False)
        return replace(bare, argv=as_seen_inside(argv, bare))
    security = container.get("securityContext") or {}
    return ProcessSpec(
        argv=argv,
        env=env,
        cwd=cwd,
        root=root,
        hostname=sandbox.hostname,
        mounts=[*_kept(image), *mounts],
        user=user,
        user_namespace=isolation.user_namespace or (user.uid != 0 and isolation.user_namespaces_allowed),
        read_only_root=bool(security.get("readOnlyRootFilesystem")),
    )


def as_seen_inside(argv: Sequence[str], spec: ProcessSpec) -> list[str]:
    """The words of a command for the container of `spec`: without namespaces, mount paths mean other folders."""
    return list(argv) if spec.isolate else [_replace(word, spec.mounts) for word in argv]


def _user(pod: Obj, container: Obj, image: Image) -> User:
    security = {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
    uid = security.get("runAsUser", image.user)
    if security.get("runAsNonRoot") and uid == 0:
        raise ConfigError("container has runAsNonRoot and image will run as root")
    return User(uid, security.get("runAsGroup", 0))


def _environment(sandbox: Sandbox, container: Obj, image: Image, user: User) -> dict[str, str]:
    context = sandbox.context
    api = (context.api.host, context.api.port) if context.api else _kubernetes_service(context.store)
    services = service_variables(context.store.list("services", sandbox.namespace), sandbox.pod, api)
    base = {
        "PATH": f"{Path(sys.executable).parent}:{IMAGE_PATH}",
        "HOME": "/root" if user.uid == 0 else "/",
        "HOSTNAME": sandbox.hostname,
        "POD_IP": sandbox.ip,
    }
    if not context.isolation.namespaces:
        base["HOME"] = str(sandbox.folder)
    pod = _with_addresses(sandbox)
    return container_env(container, pod, sandbox.find, image={**base, **image.env}, services=services)


def _kubernetes_service(store: Store) -> tuple[str, int] | None:
    """Where the API server says it is."""
    service = store.find("services", "default", "kubernetes")
    return (service["spec"]["clusterIP"], service["spec"]["ports"][0]["port"]) if service else None


def _with_addresses(sandbox: Sandbox) -> Obj:
    """The pod as the downward API sees it; its status may not be written yet."""
    addresses = {"podIP": sandbox.ip, "hostIP": "127.0.0.1"}
    return {**sandbox.pod, "status": {**(sandbox.pod.get("status") or {}), **addresses}}


def _termination_log(container: Obj, folder: Path) -> Mount:
    path = folder / "termination-log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    path.chmod(0o666)
    return Mount(str(path), container.get("terminationMessagePath") or TERMINATION_LOG)


def _kept(image: Image) -> Iterable[Mount]:
    """What processes need of the folders that start empty: the interpreter, its packages, the image's files."""
    needed = [sys.prefix, sys.base_prefix, os.path.realpath(sys.executable), site.getusersitepackages(), *sys.path]
    needed += [str(image.folder)] if image.folder else []
    for word in (*image.command, *itertools.chain.from_iterable(image.programs.values())):
        if word.startswith("/"):
            beside = os.path.dirname(word)
            needed.append(word if beside in PRIVATE_FOLDERS else beside)
    private = tuple(f"{folder}/" for folder in PRIVATE_FOLDERS)
    hidden = {path for path in needed if path.startswith(private) and os.path.exists(path)}
    outermost = [path for path in sorted(hidden) if not path.startswith(tuple(f"{other}/" for other in hidden))]
    return [Mount(path, path, read_only=True) for path in outermost]


def _replace(text: str, mounts: Iterable[Mount]) -> str:
    """Without namespaces a mount path means nothing: say the folder behind it, longest path first."""
    sources = {mount.target.rstrip("/"): mount.source for mount in mounts}
    longest_first = sorted(sources, key=len, reverse=True)
    path = "|".join(map(re.escape, longest_first))
    return re.sub(rf"(?<![\w./-])({path})(?![\w.-])", lambda match: sources[match.group(1)], text)


def termination_message(container: Obj, folder: Path, exit_code: int, log_tail: Callable[[], str]) -> str:
    """What the container left in its termination message file, or the end of its log where the pod asks for it."""
    content = (folder / "termination-log").read_bytes()[:4096].decode(errors="replace")
    if content or exit_code == 0 or container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        return content
    return log_tail()
