"""Command lines that cannot be carried out, around a good chart: exit status 3, and what to do."""

import socket

import pytest
import yaml

from tests.unit.cli.conftest import DEPLOYMENT


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["certify", "x", "--colour"], "No such option"),
        (["certify"], "Missing argument"),
        (["certify", "x", "--cluster", "moon"], "'moon' is not one of"),
        (["certify", "x", "--lanes", "0"], "0 is not in the range"),
        (["certify", "x", "--seed", "today"], "'today' is not a valid integer"),
        (["sail"], "No such command"),
        (["check", "x"], "Missing argument"),
        (["verify", "nowhere"], "nowhere: expected the folder of a run record"),
        (["report", "nowhere"], "nowhere: expected the folder of a run record"),
        (["load", "nowhere.yaml"], "nowhere.yaml"),
        (["certify", "nowhere"], "expected a contract, found no such file"),
        (["faults", "nowhere"], "expected a contract, found no such file"),
    ],
)
def test_a_command_line_that_cannot_be_meant_ends_with_status_3(seatrial, arguments, said):
    status, told = seatrial(*arguments)
    assert status == 3
    assert said in told


def test_an_unknown_check_or_fault_is_told_with_those_there_are(seatrial, chart):
    folder = chart()
    status, told = seatrial("certify", folder, "--only", "D1", "--only", "D99")
    assert (status, "found D99" in told) == (3, True)
    status, told = seatrial("check", folder, "D99")
    assert (status, "found D99" in told) == (3, True)
    status, told = seatrial("faults", folder, "--only", "no-such-fault")
    assert (status, "no-such-fault" in told) == (3, True)


def test_a_folder_without_checks_is_refused(seatrial, chart, tmp_path):
    (tmp_path / "mine").mkdir()
    status, told = seatrial("certify", chart(), "--conformance", tmp_path / "mine")
    assert (status, "expected checks below this folder" in told) == (3, True)


def test_an_existing_cluster_needs_its_kubeconfig(seatrial, chart, tmp_path):
    for options in ([], ["--kubeconfig", tmp_path / "none"]):
        status, told = seatrial("certify", chart(), "--cluster", "existing", *options, "--quiet")
        assert (status, "kubeconfig" in told) == (3, True)


def kubeconfig(folder, server):
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(document))
    return folder / "kubeconfig"


def test_a_cluster_that_cannot_be_reached_is_told_with_file_and_server(seatrial, chart, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        server = f"http://127.0.0.1:{taken.getsockname()[1]}"
        file = kubeconfig(tmp_path, server)
        where = ["--cluster", "existing", "--kubeconfig", file]
        for command in (["certify", chart(), "--quiet", "--runs", tmp_path], ["clean"]):
            status, told = seatrial(*command, *where)
            assert status == 3
            assert f"{file}: expected a Kubernetes API at {server}, found " in told


def test_a_context_that_is_not_there_is_bad_input(seatrial, chart, tmp_path):
    file = kubeconfig(tmp_path, "http://127.0.0.1:9")
    status, told = seatrial("certify", chart(), "--cluster", "existing", "--kubeconfig", file, "--context", "y")
    assert (status, "y" in told) == (3, True)


def test_nothing_is_written_for_input_that_is_refused(seatrial, chart, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seatrial("certify", chart(container="sever"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("option", ["--runs", "--html"])
def test_a_place_that_cannot_be_written_is_told_before_anything_is_deployed(seatrial, chart, tmp_path, option):
    (tmp_path / "file").write_text("")
    status, told = seatrial("certify", chart(), option, tmp_path / "file" / "within", "--runs", tmp_path / "runs")
    if option == "--runs":
        status, told = seatrial("certify", chart(), "--runs", tmp_path / "file")
    assert (status, f"{option} {tmp_path / 'file'}" in told) == (3, True), told
    assert "that can be written" in told


@pytest.mark.parametrize(
    ("command", "cluster", "option"),
    [
        ("certify", "local", ["--kubeconfig", "x"]),
        ("certify", "local", ["--context", "x"]),
        ("certify", "kind", ["--context", "x"]),
        ("certify", "kind", ["--process", "a=b"]),
        ("certify", "existing", ["--process", "a=b"]),
        ("certify", "kind", ["--registry", "r"]),
        ("up", "local", ["--kubeconfig", "x"]),
        ("up", "kind", ["--process", "a=b"]),
        ("clean", "local", ["--kubeconfig", "x"]),
        ("clean", "kind", ["--context", "x"]),
    ],
)
def test_an_option_of_another_cluster_is_refused_rather_than_ignored(seatrial, chart, command, cluster, option):
    folder = [chart()] if command == "certify" else []
    status, told = seatrial(command, *folder, "--cluster", cluster, *option)
    assert (status, f"{option[0]}: expected --cluster " in told) == (3, True), told


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("clean", "--process"),
        ("clean", "--registry"),
        ("up", "--context"),
        ("up", "--registry"),
        ("load", "--process"),
        ("check", "--only"),
        ("lint", "--cluster"),
        ("report", "--conformance"),
    ],
)
def test_a_command_has_no_option_that_means_nothing_there(seatrial, command, option):
    arguments = ["x"] if command in ("load", "check", "lint", "report") else []
    status, told = seatrial(command, *arguments, option, "a=b")
    assert (status, "No such option" in told, option in told) == (3, True, True), told


@pytest.mark.parametrize("cluster", [["up", "--cluster", "existing"], ["load", "x", "--cluster", "local"]])
def test_a_command_has_no_cluster_with_which_it_would_do_nothing(seatrial, cluster):
    status, told = seatrial(*cluster)
    assert (status, f"'{cluster[-1]}' is not one of" in told) == (3, True), told


@pytest.mark.parametrize(
    "option", [["--lanes", "3"], ["--seed", "1"], ["--cluster", "local"], ["--json", "x"], ["--markdown", "x"]]
)
def test_an_option_of_rows_that_run_is_refused_beside_a_list_of_them(seatrial, chart, option):
    """Also one that has the value it has when it is not given."""
    status, told = seatrial("faults", chart(), "--list", *option)
    assert (status, told.strip()) == (
        3,
        f"seatrial: {option[0]}: expected rows that are run, found --list; leave it out",
    )


@pytest.mark.parametrize("command", ["certify", "faults"])
@pytest.mark.parametrize(
    "given", ["example/servr=serve", "server:1=serve", "exampleserver=serve", "example/servr run=serve"]
)
def test_a_process_for_an_image_that_the_chart_does_not_have_is_refused(seatrial, chart, tmp_path, command, given):
    """It would be passed over, and something else put on trial."""
    deployment = DEPLOYMENT.replace("containers:", "initContainers: [{name: init, image: busybox}]\n      containers:")
    arguments = ["--runs", tmp_path / "runs"] if command == "certify" else []
    status, told = seatrial(command, chart(deployment=deployment), "--process", given, *arguments)
    assert status == 3
    assert f"--process {given!r}: expected an image of the chart before the =, found " in told
    assert "the chart has example/server, busybox; correct it" in told


def test_a_name_that_no_kind_cluster_can_have_is_refused(seatrial):
    for name in ("", "--help", "a b"):
        status, told = seatrial("down", f"--name={name}")
        assert (status, f"--name {name!r}: expected the name of a kind cluster" in told) == (3, True), told


def test_a_defect_of_our_own_is_no_verdict(seatrial, chart, monkeypatch):
    """The interpreter would end with status 1, which says that a MUST failed."""

    def broken(_):
        raise ZeroDivisionError("made up")

    monkeypatch.setattr("seatrial.cli.certify.read_subject", broken)
    status, told = seatrial("certify", chart())
    assert (status, "a defect of Seatrial itself" in told) == (2, True)
    assert "ZeroDivisionError: made up, at " in told
