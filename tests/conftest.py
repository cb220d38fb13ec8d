"""What holds for every test."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("without a clock", deadline=None)  # how fast the machine is proves nothing
settings.load_profile("without a clock")

ALLOWED = "not applicable: "


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where tests run side by side, those files come first that take longest, so that none of them is left for the end.

    These are the files whose tests ask for more time than others, then those on the embedded cluster: they wait for
    most of their time, and the others have the processors meanwhile.
    """
    if not hasattr(config, "workerinput"):
        return
    usual_s = float(config.getini("timeout"))
    asked_s: dict[Path, float] = {}
    for item in items:
        marks = [float(mark.args[0]) for mark in item.iter_markers("timeout")]
        asked_s[item.path] = max(asked_s.get(item.path, usual_s), *marks, usual_s)
    items.sort(key=lambda item: (-asked_s[item.path], item.get_closest_marker("local") is None))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With SEATRIAL_SKIPS_FAIL set, as in CI, a skipped test fails the run unless its reason says it does not apply."""
    if not os.environ.get("SEATRIAL_SKIPS_FAIL") or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [report for report in reporter.stats.get("skipped", []) if ALLOWED not in str(report.longrepr)]
    if skipped and exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{len(skipped)} skipped, and SEATRIAL_SKIPS_FAIL is set: the run fails", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
