"""One picture of a pod's end: its states, its endpoint, and every request it had, against time."""

from __future__ import annotations

import math
from collections.abc import Iterator

from markupsafe import Markup

from seatrial.reporting.drain_story import DrainStory, Fate, Lane, Marker, Segment
from seatrial.reporting.svg import element, group, nice_step, picture, text_width

EDGE = 10.0
LABEL_HEIGHT, LINE_HEIGHT = 16.0, 14.0
BAR_HEIGHT = 18.0
LANE_GAP = 12.0
MARKER_ROW = 15.0
AXIS_HEIGHT = 34.0
SMALLEST_TICK = 1.6  # a request shorter than this on paper is still to be seen
MOST_ROWS = 60


def story_svg(story: DrainStory, width: float) -> Markup:
    """The picture of one deletion, `width` pixels wide."""
    return _Picture(story, width).drawn()


class _Picture:
    def __init__(self, story: DrainStory, width: float) -> None:
        self.story = story
        self.width = width
        self.scale = (width - 2 * EDGE) / (story.end_s - story.start_s)

    def x(self, at_s: float) -> float:
        within = min(max(at_s, self.story.start_s), self.story.end_s)
        return EDGE + (within - self.story.start_s) * self.scale

    def drawn(self) -> Markup:
        labels, y = self._marker_labels()
        top = y
        body: list[Markup] = []
        for title, segments in (("Pod", self.story.pod), ("Endpoint in the Service", self.story.endpoint)):
            label, height = self._label(title, "", y)
            body += [label, self._bar(segments, y + height)]
            y += height + BAR_HEIGHT + LANE_GAP
        for lane in self.story.lanes:
            label, label_height = self._label(lane.label, lane.summary, y)
            drawn, height = self._requests(lane, y + label_height)
            body += [label, drawn]
            y += label_height + height + LANE_GAP
        lines = group(
            element("line", class_=f"mark {m.kind}", x1=self.x(m.at_s), x2=self.x(m.at_s), y1=top - 3, y2=y)
            for m in self.story.markers
        )
        parts = [self._axis(top, y), lines, labels, *body]
        return picture(
            self.width,
            y + AXIS_HEIGHT,
            parts,
            f"Round {self.story.index}, deletion of {self.story.victim}: {self.story.sentence}",
        )

    def _marker_labels(self) -> tuple[Markup, float]:
        """Labels above their lines, in as many rows as keep them apart; and where the rest begins."""
        free_from: list[float] = []
        parts = []
        for marker in sorted(self.story.markers, key=lambda marker: marker.at_s):
            x, row, anchor = self._place(marker, free_from)
            parts.append(
                element(
                    "text",
                    self._marker_text(marker),
                    class_=f"mark-label {marker.kind}",
                    x=x,
                    y=12 + row * MARKER_ROW,
                    text_anchor=anchor,
                )
            )
        return group(parts), 22 + MARKER_ROW * max(1, len(free_from))

    def _marker_text(self, marker: Marker) -> str:
        return f"{marker.label} {marker.at_s:.2f} s" if marker.at_s else marker.label

    def _place(self, marker: Marker, free_from: list[float]) -> tuple[float, int, str]:
        at, width = self.x(marker.at_s), text_width(self._marker_text(marker)) + 10
        left = at if at + width <= self.width else at - width
        row = next((index for index, free in enumerate(free_from) if free <= left), len(free_from))
        free_from[row:] = [left + width, *free_from[row + 1 :]]
        return at, row, "start" if left == at else "end"

    def _label(self, title: str, summary: str, y: float) -> tuple[Markup, float]:
        """A lane's name and what became of its requests, in as many lines as the width asks for; and their height."""
        width = self.width - 2 * EDGE
        beside, *below = _lines(summary, first=width - text_width(f"{title}  "), rest=width)
        quiet = element("tspan", f"  {beside}", class_="quiet") if beside else ""
        lines = [element("tspan", title, class_="strong") + quiet]
        lines += [element("tspan", line, class_="quiet") for line in below]
        drawn = (
            element("text", line, class_="lane", x=EDGE, y=y + 11 + number * LINE_HEIGHT)
            for number, line in enumerate(lines)
        )
        return group(drawn), LABEL_HEIGHT + LINE_HEIGHT * len(below)

    def _bar(self, segments: tuple[Segment, ...], y: float) -> Markup:
        def pieces() -> Iterator[Markup]:
            for segment in segments:
                left, right = self.x(segment.start_s), self.x(segment.end_s)
                yield element(
                    "rect",
                    element("title", f"{segment.text}, from {segment.start_s:.2f} s to {segment.end_s:.2f} s"),
                    class_=f"state {segment.state}",
                    x=left,
                    y=y,
                    width=max(right - left, 1.0),
                    height=BAR_HEIGHT,
                )
                if (text := _fitting(segment.text, right - left - 10)) and segment.state != "none":
                    yield element("text", text, class_=f"in-state {segment.state}", x=left + 5, y=y + 13)

        return group(pieces())

    def _requests(self, lane: Lane, y: float) -> tuple[Markup, float]:
        rows = min(lane.rows, MOST_ROWS)
        pitch, thick = (12.0, 10.0) if rows == 1 else (6.0, 3.5) if rows <= 12 else (4.0, 2.4)
        lines: dict[tuple[Fate, bool], list[str]] = {}
        ends: list[str] = []
        for span in lane.spans:
            middle = y + (span.row % MOST_ROWS + 0.5) * pitch
            left = self.x(span.start_s)
            right = max(self.x(span.end_s), left + SMALLEST_TICK)
            if span.end_s < self.story.start_s or span.start_s > self.story.end_s:
                continue
            lines.setdefault((span.fate, span.open), []).append(f"M{left:.1f} {middle:.1f}H{right:.1f}")
            if span.fate == Fate.CUT and not span.open and rows > 1:
                ends.append(f"M{right - 3:.1f} {middle - 3:.1f}l6 6m-6 0l6 -6")
        order = list(Fate)
        parts = [
            element(
                "path",
                class_=f"request {fate}{' open' if never_ended else ''}",
                d="".join(moves),
                stroke_width=thick,
            )
            for (fate, never_ended), moves in sorted(lines.items(), key=lambda item: order.index(item[0][0]))
        ]
        if ends:
            parts.append(element("path", class_="request cut end", d="".join(ends), stroke_width=1.6))
        return group(parts), rows * pitch

    def _axis(self, top: float, bottom: float) -> Markup:
        step = nice_step(self.story.end_s - self.story.start_s, max(6, int(self.width / 90)))
        parts = []
        tick = math.ceil(self.story.start_s / step) * step
        while tick <= self.story.end_s:
            x = self.x(tick)
            parts.append(element("line", class_="grid", x1=x, x2=x, y1=top, y2=bottom))
            parts.append(element("text", f"{tick + 0.0:g}", class_="tick", x=x, y=bottom + 14, text_anchor="middle"))
            tick = round(tick + step, 9)
        caption = element(
            "text", "seconds from the deletion", class_="tick", x=self.width - EDGE, y=bottom + 29, text_anchor="end"
        )
        return group([*parts, caption])


def _lines(text: str, *, first: float, rest: float) -> list[str]:
    """The text in lines of these widths in pixels, broken at spaces; the first is "" where no word fits there."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer) <= (first if len(lines) == 1 else rest):
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _fitting(text: str, width: float) -> str:
    """The text, its first word, or nothing: whichever fits."""
    choices = (text, text.split(",")[0])
    return next((choice for choice in choices if text_width(choice) <= width), "")
