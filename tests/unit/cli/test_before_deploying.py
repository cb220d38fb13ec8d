"""What can be asked without a cluster: `seatrial checks` and `seatrial lint`."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from seatrial.cli.checks import checks
from seatrial.cli.lint import lint
from seatrial.errors import InputError

REPOSITORY = Path(__file__).parents[3]
GREETER, REFERENCE = REPOSITORY / "examples" / "greeter", REPOSITORY / "charts" / "openmed-service"


def asked(command, *arguments):
    done = CliRunner().invoke(command, [*map(str, arguments)], standalone_mode=False, catch_exceptions=False)
    return done.return_value, done.stdout


def listed(*arguments):
    return {check["id"]: check for check in json.loads(asked(checks, *arguments, "--json")[1])}


def test_every_check_is_listed_with_what_it_asks_and_of_which_promise():
    found = listed()
    assert found["D1"] == {
        "id": "D1",
        "name": "drain-in-flight-finishes",
        "level": "MUST",
        "group": "drain",
        "promise": "drain",
        "title": "A pod that is told to stop finishes the requests it has accepted.",
        "unmade": "",
    }
    assert "D4   MUST   unready-before-socket-closes         always" in asked(checks)[1]


def test_with_a_contract_what_it_does_not_promise_is_said_to_be_skipped():
    assert {id for id, check in listed(REFERENCE).items() if check["unmade"]} == {"D2", "P3", "R1"}
    said = asked(checks, GREETER)[1]
    assert "skipped: no inference.streaming" in said
    assert said.endswith("25 checks; 13 apply to greeter\n")


@pytest.mark.parametrize("word", ["D7", "d7", "grace-covers-prestop-and-drain", "grace_covers_prestop_and_drain"])
def test_a_check_is_called_by_its_id_or_its_name(word):
    assert list(listed("--only", word)) == ["D7"]


def test_a_group_calls_all_of_its_checks():
    assert list(listed("--only", "drain", "--only", "A1")) == ["A1", "D1", "D2", "D4", "D5", "D7", "D8"]


def test_a_word_that_is_none_of_these_is_told_with_what_is_near():
    with pytest.raises(InputError, match="found darin, near drain; `seatrial checks` lists them"):
        asked(checks, "--only", "darin")


def test_lint_says_what_fits_and_what_is_skipped():
    status, said = asked(lint, GREETER)
    assert status == 0
    assert "note     D2 drain-streams-end-properly is skipped: the contract has no inference.streaming" in said
    assert said.endswith("examples/greeter/contract.yaml and greeter fit each other; 13 of 25 checks apply\n")


@pytest.fixture
def chart(tmp_path):
    return Path(shutil.copytree(GREETER, tmp_path / "greeter"))


def change(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_lint_refuses_what_certify_would(chart):
    change(chart / "contract.yaml", "value: slots", "value: slotz")
    with pytest.raises(InputError, match="the nearest is slots"):
        asked(lint, chart)


def test_lint_says_which_images_have_no_process_on_the_local_cluster(chart):
    change(chart / "templates" / "greeter.yaml", "image: {{ .Values.image }}", "image: acme/server:1")
    status, said = asked(lint, chart)
    assert status == 0
    assert "note     --cluster local: acme/server:1: expected a process that stands for this image" in said


def test_lint_says_which_values_the_chart_does_not_have(chart):
    change(chart / "contract.yaml", "probes:", "values: {slotz: 3, global: {a: 1}}\nprobes:")
    status, said = asked(lint, chart)
    warnings = [line for line in said.splitlines() if line.startswith("warning")]
    assert (status, len(warnings)) == (0, 1)
    assert warnings[0].startswith("warning  values: ")
    assert warnings[0].endswith("expected a value at slotz, found nothing below the top; the nearest is slots")


def test_an_error_of_helms_own_lint_is_exit_status_3(chart):
    change(chart / "Chart.yaml", 'appVersion: "1"', "appVersion: 1")
    status, said = asked(lint, chart)
    assert status == InputError.exit_code
    assert "error    greeter, Chart.yaml: helm lint says: " in said
