"""JUnit XML: one test case a check, as most systems of continuous integration read it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from seatrial.reporting.model import Judged, Report
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
    for judged in report.judged:
        _case(suite, judged)
    for kind, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(kind, str(sum(1 for _ in suite.iter(tag))))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, judged: Judged) -> None:
    entry, verdict = judged.entry, judged.entry.verdict
    name = f"{entry.id} {(entry.name or entry.title).replace('_', '-')}"
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
