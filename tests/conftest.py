"""What holds for every test."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("without a clock", deadline=None)  # how fast the machine is proves nothing
settings.load_profile("without a clock")

ALLOWED = "not applicable: "


LOWER_PRIORITY = 10  # in steps of nice(1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where tests run side by side, those on the embedded cluster come first: they wait for most of their time.

    After them come the files whose tests ask for more time than others, so that none of those is left for the end.
    """
    if not hasattr(config, "workerinput"):
        return
    usual_s = float(config.getini("timeout"))
    asked_s: dict[Path, float] = {}
    for item in items:
        marks = [float(mark.args[0]) for mark in item.iter_markers("timeout")]
        asked_s[item.path] = max(asked_s.get(item.path, usual_s), *marks, usual_s)
    items.sort(key=lambda item: (item.get_closest_marker("local") is None, -asked_s[item.path]))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A worker that is through with the embedded cluster gives way to those that are not: trials measure time.

    It never has to come back: the tests on the cluster are handed out before all others.
    """
    if hasattr(item.config, "workerinput") and item.get_closest_marker("local") is None and not os.nice(0):
        os.nice(LOWER_PRIORITY)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With SEATRIAL_SKIPS_FAIL set, as in CI, a skipped test fails the run unless its reason says it does not apply."""
    if not os.environ.get("SEATRIAL_SKIPS_FAIL") or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [report for report in reporter.stats.get("skipped", []) if ALLOWED not in str(report.longrepr)]
    if skipped and exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{len(skipped)} skipped, and SEATRIAL_SKIPS_FAIL is set: the run fails", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
