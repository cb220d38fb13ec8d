"""An object store that speaks S3: the image of MinIO, or a server of this machine.

On this machine it is `minio` on PATH, else moto's server, which keeps objects in memory; that one is put behind a check
of signatures, for it takes any keys.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
from pathlib import Path

from seatrial.contract import ObjectStore
from seatrial.dependencies.base import DATA, Objects, Server, random_text
from seatrial.errors import InputError, in_words
from seatrial.programs import on_path


class ObjectStoreKind:
    """One bucket, and the keys of its owner."""

    port = 9000
    speaks_http = True

    def __init__(self, key: str, wanted: ObjectStore, folder: Path) -> None:
        self._key, self._wanted = key, wanted
        self._access_key = wanted.access_key or random_text()[:20]
        self._secret_key = wanted.secret_key or random_text()
        self._files = files_in(folder / wanted.seed, f"{key}.seed") if wanted.seed else {}

    def credentials(self, host: str, port: int) -> dict[str, str]:
        return {
            "url": f"http://{host}:{port}",
            "endpoint": f"{host}:{port}",
            "host": host,
            "port": str(port),
            "access-key": self._access_key,
            "secret-key": self._secret_key,
            "bucket": self._wanted.bucket,
        }

    def by_image(self, agent: str) -> Server:
        return self._minio(self._wanted.image, f"image {self._wanted.image}", ())

    def by_process(self, agent: str) -> Server:
        program = on_path("minio")
        if program.runs:
            path = str(program.path)
            return self._minio(agent, f"process {_version_of(path)} (minio on PATH)", (path,))
        if not importlib.util.find_spec("moto"):
            raise InputError(
                f"{self._key}: expected `minio` on PATH or the package moto, which the embedded "
                "cluster runs in place of an image, found neither; pip install 'seatrial[dependencies]'"
            )
        return Server(
            image=agent,
            stands_by=f"process moto {importlib.metadata.version('moto')}",
            command=("python", "-m", "seatrial.dependencies.moto_process", str(self.port)),
            environment={"S3_ACCESS_KEY": self._access_key, "S3_SECRET_KEY": self._secret_key},
        )

    def objects(self) -> Objects | None:
        return Objects(self._wanted.bucket, self._access_key, self._secret_key, self._files)

    def _minio(self, image: str, stands_by: str, program: tuple[str, ...]) -> Server:
        return Server(
            image=image,
            stands_by=stands_by,
            command=program,
            args=("server", DATA, "--address", f"$(POD_IP):{self.port}"),
            environment={"MINIO_ROOT_USER": self._access_key, "MINIO_ROOT_PASSWORD": self._secret_key},
        )


def files_in(folder: Path, key: str) -> dict[str, Path]:
    """Every file of a folder by its path in there. Raises InputError for a folder that is missing or empty."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    if not found:
        what = "an empty one" if folder.is_dir() else "no such folder"
        raise InputError(f"{key}: expected a folder of files beside the contract, found {what}: {folder}; correct it")
    return found


def _version_of(program: str) -> str:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError) as broken:
        raise InputError(f"{program}: expected a MinIO server, found {in_words(broken)}; install it anew") from None
    return " ".join(said.split()[:3])
