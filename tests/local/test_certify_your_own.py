"""Somebody who follows docs/certify-your-own.md gets a service that keeps its promises, and helpful words if not."""

import html
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "certify-your-own.md"

pytestmark = [pytest.mark.local, pytest.mark.timeout(300)]


@pytest.fixture
def hello(tmp_path):
    """The files of the guide's first service, written out as it says."""
    listings = re.findall(r"^`(hello/[\w./-]+)`\n\n```\w+\n(.*?)```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    for name, text in listings:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path / "hello"


@pytest.fixture
def greeter(tmp_path):
    """The guide's second service, of which it lists only what is different."""
    return shutil.copytree(ROOT / "examples" / "greeter", tmp_path / "greeter")


def seatrial(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "seatrial.cli.main", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def lines_of_code(file):
    """Lines that are neither empty nor a comment."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in lines)


def edit(file, before, after):
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_the_guides_smallest_service_keeps_its_promises(hello):
    """The quick ones; the drain and the overload are left to a run of one's own."""
    done = seatrial("check", "hello", "P1", "P11", "B1", "D1", "--json", "-q", cwd=hello.parent)
    verdicts = {entry["id"]: entry["verdict"]["outcome"] for entry in json.loads(done.stdout)["verdicts"]}
    assert verdicts == {"P1": "pass", "P11": "pass", "B1": "pass", "D1": "skipped"}
    assert done.returncode == 0
    assert lines_of_code(hello / "hello.py") < 30
    assert lines_of_code(hello / "contract.yaml") < 25


def test_the_guides_fuller_service_keeps_its_promises(greeter):
    done = seatrial("check", "greeter", "P1", "P11", "B1", "L3", "--json", "-q", cwd=greeter.parent)
    verdicts = {entry["id"]: entry["verdict"]["outcome"] for entry in json.loads(done.stdout)["verdicts"]}
    assert verdicts == {"P1": "pass", "P11": "pass", "B1": "pass", "L3": "skipped"}
    assert done.returncode == 0
    assert lines_of_code(greeter / "contract.yaml") < 40


def test_a_server_that_does_not_come_up_is_told_with_its_last_words(hello):
    edit(hello / "hello.py", '(os.environ["POD_IP"], 8080)', '("192.0.2.1", 8080)')
    edit(hello / "contract.yaml", "name: hello\n", "name: hello\nready_within_s: 10\n")
    done = seatrial("check", "hello", "P11", "--json", "-q", cwd=hello.parent)
    (entry,) = json.loads(done.stdout)["verdicts"]
    assert (entry["verdict"]["outcome"], done.returncode) == ("error", 2)
    assert "OSError" in entry["verdict"]["found"]
    (record,) = (hello.parent / "runs").iterdir()
    failure = json.loads((record / "trials" / "install" / "failure.json").read_bytes())
    assert any("OSError" in text for log in failure["logs"] for _, text in log["lines"])
    watched = (record / "trials" / "install" / "timeline.jsonl").read_text().splitlines()[1:]
    assert {"Pod", "Event"} <= {json.loads(line)["kind"] for line in watched}


def test_a_mistyped_path_ends_the_run_with_expected_beside_found(hello):
    """All trials would see 404, and nothing of the service."""
    asked = '        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))\n'
    elsewhere = '        if self.path != "/greet":\n            return self.answer(404, {"detail": "Not Found"})\n'
    edit(hello / "hello.py", asked, asked + elsewhere)
    edit(hello / "contract.yaml", "path: /greet", "path: /gteet")
    began_s = time.monotonic()
    done = seatrial("certify", "hello", "-q", "--html", "page.html", cwd=hello.parent)
    assert done.returncode == 3
    said = 'expected {"greeting": "Hello, guest 0!"} to case case-0, found that POST /gteet answered 404 ({"detail": '
    assert said in done.stderr
    assert done.stderr.endswith("; correct inference.path\n")
    assert time.monotonic() - began_s < 100, "other trials were not waited for"
    page = html.unescape((hello.parent / "page.html").read_text())
    assert "Refused" in page
    assert said in page


def test_a_value_that_the_chart_does_not_have_is_refused_before_anything_is_deployed(hello):
    edit(hello / "contract.yaml", "value: slots", "value: slot")
    done = seatrial("certify", "hello", "-q", cwd=hello.parent)
    assert done.returncode == 3
    assert "expected a value at slot" in done.stderr
    assert "the nearest is slots" in done.stderr
    assert not (hello.parent / "runs").exists()


def test_an_image_without_a_command_is_refused_with_the_option_that_names_one(hello):
    edit(hello / "templates" / "hello.yaml", "python:3.11-slim-bookworm", "acme/hello:1")
    done = seatrial("certify", "hello", "-q", cwd=hello.parent)
    assert done.returncode == 3
    assert '--process "acme/hello=COMMAND"' in done.stderr
