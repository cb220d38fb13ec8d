"""Kinds of charts that people publish, each rebuilt small: what it is, then its files, each after `-- PATH --`."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = sorted(file.stem for file in FOLDER.glob("*.txt"))


def unpacked(name: str, folder: Path) -> Path:
    """The chart of a kind, written out below a folder."""
    chart = folder / name.replace("_", "-")
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    _, *parts = re.split(r"^-- (.+) --\n", text, flags=re.MULTILINE)
    files = {"Chart.yaml": f"apiVersion: v2\nname: {chart.name}\nversion: 0.1.0\n"}
    files.update(zip(parts[::2], parts[1::2], strict=True))
    for path, text in files.items():
        file = chart / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return chart
