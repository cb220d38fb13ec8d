"""The HTML page and the Markdown text, from templates beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from seatrial.reporting import text
from seatrial.reporting.bars import limit_bar
from seatrial.reporting.drain_svg import story_svg
from seatrial.reporting.headline import Headline
from seatrial.reporting.latency import MOST_CURVES, latency_svg, seconds
from seatrial.reporting.model import Report
from seatrial.reporting.text import NEVER
from seatrial.verdict import Outcome

# One picture for a desk and one for a phone: a picture scaled down could not be read.
WIDE, NARROW = 1080.0, 340.0


def html_page(report: Report) -> str:
    """One page that needs nothing from anywhere else."""
    return _environment().get_template("report.html.j2").render(_names(report))


def notice_page(headline: Headline, chart: Path, begun: str, record: Path | None = None) -> str:
    """The page of a run without a record to draw, such as one that has only begun, whose record will be `record`.

    It says what the run came to, of which chart, and when (UTC) it began.
    """
    names = {"headline": headline, "chart": chart, "begun": begun, "record": record, "signs": text.SIGNS}
    return _environment().get_template("notice.html.j2").render(names)


def markdown_text(report: Report) -> str:
    """For a pull request or a chat; pictures are left to the page."""
    return _environment().get_template("report.md.j2").render(_names(report))


def _names(report: Report) -> Mapping[str, object]:
    return {
        "report": report,
        "header": report.record.header,
        "state": report.record.state,
        "digest": report.record.digest(),
        "Outcome": Outcome,
        "signs": text.SIGNS,
        "sentence": text.sentence,
        "decisive": text.decisive,
        "number": text.number,
        "interval": text.interval,
        "plural": text.plural,
        "never": NEVER,
        "seconds": seconds,
        "limit_bar": limit_bar,
        "story_svg": story_svg,
        "latency_svg": latency_svg,
        "most_curves": MOST_CURVES,
        "wide": WIDE,
        "narrow": NARROW,
    }


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("seatrial.reporting"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _cell
    environment.filters["indented"] = _indented
    environment.globals["style"] = Markup(environment.get_template("report.css").render())
    return environment


def _cell(value: object) -> str:
    """A text that cannot break out of a Markdown table or turn into markup."""
    flat = " ".join(str(value).split())
    for character in "\\`*_[]<>|#":
        flat = flat.replace(character, f"\\{character}")
    return flat


def _indented(value: object) -> str:
    """Lines as a block of Markdown that is shown as it is."""
    return "\n".join(f"    {line}" for line in str(value).splitlines())
