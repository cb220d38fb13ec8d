"""Pods share this machine's network: a server on every address would answer for other pods too."""

import os
from contextlib import suppress
from pathlib import Path

from seatrial.clusters.local.kubelet.metrics import members
from seatrial.clusters.local.kubelet.process import Process

LISTENING = "0A"
EVERY_ADDRESS = {"tcp": "0" * 8, "tcp6": "0" * 32}


def wildcard_ports(process: Process) -> list[int]:
    """Ports on which the container listens on all addresses of the machine. Source: proc(5), /proc/net/tcp."""
    sockets = _wildcard_sockets()
    return sorted({sockets[inode] for pid in members(process) for inode in _inodes(pid) if inode in sockets})


def _wildcard_sockets() -> dict[str, int]:
    """Port by inode."""
    found = {}
    for table, every in EVERY_ADDRESS.items():
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                address, _, port = fields[1].partition(":")
                if fields[3] == LISTENING and address == every:
                    found[fields[9]] = int(port, 16)
    return found


def _inodes(pid: str) -> list[str]:
    found = []
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                link = os.readlink(entry.path)
                if link.startswith("socket:["):
                    found.append(link[8:-1])
    return found
