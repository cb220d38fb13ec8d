"""Somebody who follows docs/certify-your-own.md gets a service that keeps its promises, and helpful words if not."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "certify-your-own.md"

pytestmark = [pytest.mark.local, pytest.mark.timeout(300)]


@pytest.fixture
def greeter(tmp_path):
    """The files of the guide, written out as it says."""
    folder = tmp_path / "greeter"
    listings = re.findall(r"^`([\w./-]+)`\n\n```\w+\n(.*?)```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    for name, text in listings:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def seatrial(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "seatrial.cli.main", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def edit(file, before, after):
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_the_guides_service_keeps_its_promises(greeter):
    done = seatrial("check", "greeter", "P1", "P11", "B1", "L3", "--json", "-q", cwd=greeter.parent)
    verdicts = {entry["id"]: entry["verdict"]["outcome"] for entry in json.loads(done.stdout)["verdicts"]}
    assert verdicts == {"P1": "pass", "P11": "pass", "B1": "pass", "L3": "skipped"}
    assert done.returncode == 0
    assert len((greeter / "contract.yaml").read_text().splitlines()) < 40


def test_a_server_that_does_not_come_up_is_told_with_its_last_words(greeter):
    edit(greeter / "greeter.py", '(os.environ["POD_IP"], 8080)', '("192.0.2.1", 8080)')
    edit(greeter / "contract.yaml", "name: greeter\n", "name: greeter\nready_within_s: 10\n")
    done = seatrial("check", "greeter", "P11", "--json", "-q", cwd=greeter.parent)
    (entry,) = json.loads(done.stdout)["verdicts"]
    assert (entry["verdict"]["outcome"], done.returncode) == ("error", 2)
    assert "OSError" in entry["verdict"]["found"]


def test_a_value_that_the_chart_does_not_have_is_refused_before_anything_is_deployed(greeter):
    edit(greeter / "contract.yaml", "value: slots", "value: slot")
    done = seatrial("certify", "greeter", "-q", cwd=greeter.parent)
    assert done.returncode == 3
    assert "expected a value at slot" in done.stderr
    assert "the nearest is slots" in done.stderr
    assert not (greeter.parent / "runs").exists()


def test_an_image_without_a_command_is_refused_with_the_option_that_names_one(greeter):
    edit(greeter / "values.yaml", "python:3.11-slim-bookworm", "acme/greeter:1")
    done = seatrial("certify", "greeter", "-q", cwd=greeter.parent)
    assert done.returncode == 3
    assert '--process "acme/greeter=COMMAND"' in done.stderr
