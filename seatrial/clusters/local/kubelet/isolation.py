"""What this machine lets a container have, found by starting one and looking."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from seatrial.clusters.local.kubelet.process import Mount, ProcessSpec, StartFailed, start


@dataclass(frozen=True, slots=True)
class Isolation:
    """How containers are kept apart here."""

    namespaces: bool
    user_namespace: bool  # needed to make the other namespaces without privileges
    user_namespaces_allowed: bool  # runAsUser can be honoured
    refusal: str = ""

    def __str__(self) -> str:
        """One line for the run record."""
        if not self.namespaces:
            return (
                f"none ({self.refusal}): mount paths are replaced in env, command and args; lost: /etc/hosts, "
                "paths written in code or files, PID 1 behaviour, the end of daemonised grandchildren"
            )
        kinds = (["user"] if self.user_namespace else []) + ["mount", "pid", "uts"]
        return "namespaces: " + ", ".join(kinds)


NO_ISOLATION = Isolation(namespaces=False, user_namespace=False, user_namespaces_allowed=False, refusal="by choice")


async def probe() -> Isolation:
    """Start real containers: Ubuntu allows unshare and then refuses mount, so nothing less tells."""
    refusals = []
    as_user = await _refusal(user_namespace=True)
    for user_namespace in [False, True] if os.geteuid() == 0 else [True]:
        refusal = as_user if user_namespace else await _refusal(user_namespace=False)
        if not refusal:
            return Isolation(True, user_namespace, user_namespaces_allowed=not as_user)
        refusals.append(refusal)
    return Isolation(False, False, False, refusal="; ".join(refusals))


async def _refusal(user_namespace: bool) -> str:
    """Why a container with a mounted folder cannot be started, or an empty string."""
    with tempfile.TemporaryDirectory(prefix="seatrial-probe-") as name:
        folder = Path(name)
        (folder / "root").mkdir()
        (folder / "volume").mkdir()
        (folder / "volume" / "seen").touch()
        spec = ProcessSpec(
            argv=["/bin/sh", "-c", "test $$ -le 2 && test -e /seatrial-probe/seen"],
            env={"PATH": os.defpath},
            cwd="/",
            root=folder / "root",
            hostname="probe",
            mounts=[Mount(str(folder / "volume"), "/seatrial-probe", read_only=True)],
            user_namespace=user_namespace,
        )
        try:
            process = await start(spec, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except StartFailed as error:
            return str(error)
        code = await process.wait()
        return "" if code == 0 else f"the probe's mount was not seen, exit code {code}"
