"""Draw the README's pictures from records of runs: `python docs/pictures/draw.py RECORD PICTURE...`.

PICTURE is the name of a file beside this one. `page.png` is the top of the run's page, for which a Chromium has to be
on PATH; `deletion.svg` is the deletion of a pod that lost most, or the first where none did, as the page shows it. A
word and a dash may stand before either name. The README's are of `seatrial certify charts/openmed-service`, the page on
kind and the deletion on the embedded cluster:

    python docs/pictures/draw.py runs/RUN-ON-KIND page.png
    python docs/pictures/draw.py runs/RUN-ON-LOCAL deletion.svg
    python docs/pictures/draw.py runs/BROKEN-RUN-ON-LOCAL broken-deletion.svg

The broken run is `seatrial check` D1 D4 D5 D7 D8 of a copy of `charts/` in which openmed-service's contract has
`{name: SEATRIAL_FAULT, value: drain-cap-1s}` below `values.extraEnv`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from seatrial.programs import on_path
from seatrial.record import RunRecord
from seatrial.reporting.drain_svg import story_svg
from seatrial.reporting.model import Report, read_report
from seatrial.reporting.pages import html_page

HERE = Path(__file__).parent
STYLES = HERE.parents[1] / "seatrial" / "reporting" / "templates" / "report.css"
WIDTH = 1080.0
PAGE = "1200,960"  # pixels
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def deletion(report: Report, file: Path) -> None:
    """As a file of its own: with the page's colours, light and dark, on the ground that a card has there."""
    stories = [story for trial in report.trials for story in trial.drains]
    if not stories:
        raise SystemExit(f"{report.record.folder}: expected a run that deleted pods, found none; name another record")
    drawn = story_svg(max(stories, key=lambda story: story.lost), WIDTH)
    head, title, rest = str(drawn).partition("</title>")
    ground = '<rect width="100%" height="100%" style="fill: var(--card)"/>'
    file.write_text(f"{head}{title}<style>{STYLES.read_text('utf-8')}</style>{ground}{rest}\n", encoding="utf-8")


def page(report: Report, file: Path) -> None:
    """As a browser shows it."""
    browser = next((found for found in map(on_path, BROWSERS) if found.runs), None)
    if browser is None:
        raise SystemExit(f"expected one of {', '.join(BROWSERS)} on PATH, found none that runs; install it")
    with tempfile.TemporaryDirectory() as folder:
        html = Path(folder) / "page.html"
        html.write_text(html_page(report), encoding="utf-8")
        shown = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={PAGE}"]
        command = [str(browser.path), *shown, f"--screenshot={file}", html.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


PICTURES: dict[str, Callable[[Report, Path], None]] = {"deletion.svg": deletion, "page.png": page}


def main(record: Path, *names: str) -> None:
    """Draw each picture, and say where it is."""
    if unknown := [name for name in names if name.rpartition("-")[2] not in PICTURES]:
        raise SystemExit(
            f"expected names that end with {' or '.join(PICTURES)}, found {', '.join(unknown)}; correct them"
        )
    report = read_report(RunRecord.open(record))
    for name in names:
        PICTURES[name.rpartition("-")[2]](report, HERE / name)
        print(f"wrote {HERE / name}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit("usage: python docs/pictures/draw.py RECORD PICTURE...")
    main(Path(sys.argv[1]), *sys.argv[2:])
