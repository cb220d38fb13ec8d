"""What holds for every test."""

import os

import pytest

ALLOWED = "not applicable: "


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With SEATRIAL_SKIPS_FAIL set, as in CI, a skipped test fails the run unless its reason says it does not apply."""
    if not os.environ.get("SEATRIAL_SKIPS_FAIL") or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [report for report in reporter.stats.get("skipped", []) if ALLOWED not in str(report.longrepr)]
    if skipped and exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{len(skipped)} skipped, and SEATRIAL_SKIPS_FAIL is set: the run fails", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
