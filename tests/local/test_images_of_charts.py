"""A chart that calls its image like one of ours gets its own image or none."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.local, pytest.mark.timeout(300)]


@pytest.fixture
def greeter(tmp_path):
    """A chart of somebody else's, with the image name that openmed-service has by default."""
    chart = shutil.copytree(ROOT / "examples" / "greeter", tmp_path / "greeter")
    template = chart / "templates" / "greeter.yaml"
    text = template.read_text()
    for before, after in ("{{ .Values.image }}", "openmed:1.7.0"), ("command: [python3, /app/greeter.py]", ""):
        assert before in text
        text = text.replace(before, after)
    template.write_text(text)
    return chart


def check(chart, *arguments):
    command = [sys.executable, "-m", "seatrial.cli.main", "check", str(chart), "P11", "-q", *arguments]
    return subprocess.run(command, cwd=chart.parent, capture_output=True, text=True, check=False)


def test_without_a_process_of_its_own_it_is_refused_before_anything_is_deployed(greeter):
    done = check(greeter)
    assert done.returncode == 3
    assert (
        "openmed:1.7.0: expected a process that stands for this image on the local cluster, found none" in done.stderr
    )
    assert '--process "openmed=COMMAND"' in done.stderr
    (record,) = (greeter.parent / "runs").iterdir()
    assert not (record / "trials").exists()


def test_with_one_that_is_what_runs_and_the_record_says_so(greeter):
    command = f"{sys.executable} {greeter / 'greeter.py'}"
    done = check(greeter, "--process", f"openmed={command}")
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = (greeter.parent / "runs").iterdir()
    trials = list((record / "trials").iterdir())
    assert trials
    for trial in trials:
        images = json.loads((trial / "images.json").read_text())
        assert {(image["image"], image["id"]) for image in images} == {
            ("openmed:1.7.0", f"process named by --process: {command}")
        }
        assert all(image["pods"] for image in images)
