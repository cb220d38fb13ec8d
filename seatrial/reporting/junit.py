"""JUnit XML: one test case a check, as most systems of continuous integration read it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from seatrial.record import Asked
from seatrial.reporting.model import Judged, Report, group_of
from seatrial.reporting.text import decisive, interval, number, sentence
from seatrial.verdict import Outcome

# XML 1.0 cannot carry these, not even escaped; a broken answer's body may hold them.
UNWRITABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(report: Report) -> str:
    """A failed SHOULD is written as skipped with its warning, so that it does not fail a build."""
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(root, "testsuite", name=_clean(f"seatrial {report.record.header.subject}"))
    properties = ElementTree.SubElement(suite, "properties")
    header = report.record.header
    for name, value in {
        "run": header.run_id,
        "started": header.started,
        "seatrial": header.seatrial,
        "cluster": header.cluster,
        "result": f"{report.headline.word}. {report.headline.sentence}",
        "record-sha256": report.record.digest(),
        **dict(sorted(header.versions.items())),
    }.items():
        ElementTree.SubElement(properties, "property", name=_clean(name), value=_clean(value))
    _run(suite, report)
    for judged in report.judged:
        _case(suite, judged)
    for asked in report.unjudged:
        _unjudged(suite, asked, report.headline.word)
    for kind, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(kind, str(sum(1 for _ in suite.iter(tag))))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _run(suite: ElementTree.Element, report: Report) -> None:
    """A case that is an error where the record is damaged, or of no whole run: it must not look like a pass."""
    if report.record.is_whole and not report.damage:
        return
    case = ElementTree.SubElement(suite, "testcase", classname="run", name="the run came to its end, and is recorded")
    told = ElementTree.SubElement(
        case,
        "error",
        message=_clean(f"{report.headline.word}: {report.headline.sentence}"),
        type=_clean(report.headline.word.lower()),
    )
    ends = [*report.damage, *report.loose_ends]
    told.text = _clean("\n".join([report.headline.sentence, *(f"{file}: {what}" for file, what in ends)]))


def _unjudged(suite: ElementTree.Element, asked: Asked, word: str) -> None:
    name = f"{asked.id} {asked.name or asked.title}"
    case = ElementTree.SubElement(suite, "testcase", classname=_clean(group_of(asked)), name=_clean(name))
    never = ElementTree.SubElement(case, "error", message=f"{word}: never judged", type=word.lower())
    never.text = _clean(f"{asked.title}\n{asked.level}; the run ended before it was judged")


def _case(suite: ElementTree.Element, judged: Judged) -> None:
    entry, verdict = judged.entry, judged.entry.verdict
    name = f"{entry.id} {entry.name or entry.title}"
    case = ElementTree.SubElement(suite, "testcase", classname=_clean(judged.group), name=_clean(name))
    message = _clean(sentence(verdict))
    tag = {Outcome.FAIL: "failure", Outcome.INCONCLUSIVE: "error", Outcome.ERROR: "error", Outcome.SKIPPED: "skipped"}
    if verdict.outcome != Outcome.PASS:
        if entry.level != "MUST" and verdict.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
            ElementTree.SubElement(case, "skipped", message=f"{entry.level}, a warning: {message}")
        else:
            found = ElementTree.SubElement(case, tag[verdict.outcome], message=message, type=str(verdict.outcome))
            found.text = _clean(_details(judged))
    if verdict.outcome == Outcome.PASS:
        output = ElementTree.SubElement(case, "system-out")
        output.text = _clean(_details(judged))


def _details(judged: Judged) -> str:
    entry, verdict = judged.entry, judged.entry.verdict
    lines = [entry.title, f"expected: {verdict.expected}", f"found: {verdict.found}"]
    lines += [f"do: {verdict.do}"] if verdict.do else []
    lines += [f"n: {verdict.n}"] if verdict.n is not None else []
    for each in verdict.measurements:
        parts = [f"{each.name}: {number(each.value, each.unit)}", interval(each), each.limit and f"limit {each.limit}"]
        lines.append("; ".join(filter(None, parts)))
    lines += [f"evidence: {fact}" for fact in verdict.evidence]
    lines += [f"decisive: {decisive(verdict)}"] if verdict.decisive else []
    lines += [f"not found: {said}" for said in judged.lost]
    return "\n".join(lines)


def _clean(text: str) -> str:
    return UNWRITABLE.sub("\ufffd", text)
