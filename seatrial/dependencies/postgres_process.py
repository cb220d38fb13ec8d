"""PostgreSQL as a process of the embedded cluster: makes its database once, then becomes the server.

    python -m seatrial.dependencies.postgres_process PROGRAMS DATA

$POSTGRES_USER, $POSTGRES_PASSWORD and $POSTGRES_DB are those of the public image; it listens on $POD_IP:5432.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Make the database in DATA/pgdata unless it is there, and serve it."""
    programs, data = Path(sys.argv[1]), Path(sys.argv[2])
    become_nobody()
    whole = data / "pgdata"
    if not whole.exists():
        make(programs, data / "unfinished").rename(whole)
    settings = {
        "listen_addresses": os.environ["POD_IP"],
        "port": "5432",
        "unix_socket_directories": "",
        "fsync": "off",  # it outlives its processes, and need not outlive the machine
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    program = str(programs / "postgres")
    sys.stdout.flush()
    os.execv(program, [program, "-D", str(whole), *options])


def become_nobody() -> None:
    """The server refuses to be root, which a container is where there are no user namespaces."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)


def make(programs: Path, folder: Path) -> Path:
    """A data folder with the user and the database; what an earlier try left of it is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    user, database = os.environ["POSTGRES_USER"], os.environ["POSTGRES_DB"]
    password = folder.with_name("password")
    password.write_text(os.environ["POSTGRES_PASSWORD"] + "\n", encoding="utf-8")
    who = ["--username", user, "--pwfile", str(password), "--auth", "scram-sha-256"]
    run([str(programs / "initdb"), "-D", str(folder), *who, "--encoding", "UTF8", "--locale", "C", "--no-sync"])
    password.unlink()
    with (folder / "pg_hba.conf").open("a", encoding="utf-8") as rules:
        rules.write("host all all all scram-sha-256\n")
    if database != "postgres":
        quoted = '"' + database.replace('"', '""') + '"'
        run([str(programs / "postgres"), "--single", "-D", str(folder), "postgres"], f"CREATE DATABASE {quoted}\n")
    return folder


def run(command: list[str], given: str = "") -> None:
    """Run a program; what it says is printed if it fails, and so ends this one."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{Path(command[0]).name} ended with {done.returncode}:\n{done.stdout}{done.stderr}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
