"""What `seatrial load` cannot use is told in one message, before there is a load."""

import socket

import pytest

from seatrial.content import content


def test_a_port_in_use_is_told_before_the_load(seatrial, tmp_path):
    scenario = content("scenarios") / "openmed-deidentify.yaml"
    with socket.create_server(("127.0.0.1", 0)) as service:
        port = service.getsockname()[1]
        host = f"http://127.0.0.1:{port}"
        status, told = seatrial("load", scenario, "--host", host, "--web", "--web-port", port)
    assert status == 3
    assert f"--web-port {port}: expected a free port of 127.0.0.1, found Address already in use" in told


def test_a_folder_that_is_a_file_is_told_before_the_load(seatrial, tmp_path):
    (tmp_path / "out").write_text("")
    scenario = content("scenarios") / "openmed-deidentify.yaml"
    status, told = seatrial("load", scenario, "--host", "http://127.0.0.1:1", "--out", tmp_path / "out")
    assert status == 3
    assert f"--out {tmp_path / 'out'}: expected a folder that can be written, found File exists; name another" in told


def test_nobody_who_listens_is_told_in_words(seatrial):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{closed.getsockname()[1]}"
        status, told = seatrial("load", content("scenarios") / "openmed-deidentify.yaml", "--host", host)
    assert status == 2
    assert f"{host}: expected a service that accepts connections, found Connection refused; start it" in told


def test_a_host_that_is_none_is_told_before_pods_are_brought_up(seatrial):
    scenario = content("scenarios") / "openmed-deidentify.yaml"
    status, told = seatrial("load", scenario, "--host", "web.shop", "--in-cluster", "--cluster", "kind")
    assert status == 3
    assert "--host: expected a URL like http://127.0.0.1:8080, found 'web.shop'" in told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--in-cluster"], "--in-cluster: expected --cluster kind or --cluster existing"),
        (["--in-cluster", "--cluster", "kind", "--web"], "--web: expected a load that this machine carries"),
        (["--cluster", "kind"], "--in-cluster: expected it with options that name a cluster or what"),
        (["--web-port", "8089"], "--web-port 8089: expected --web with it, found none; give it, or leave the port out"),
        (["--env", "HOME"], "--in-cluster: expected it with options that name a cluster or what"),
        (["--in-cluster", "--cluster", "kind", "--env", "NOT_SET_AT_ALL"], "--env NOT_SET_AT_ALL: expected a variable"),
        (["--registry", "acme"], "--in-cluster: expected it with options that name a cluster or what"),
        (["--in-cluster", "--cluster", "existing"], "--cluster existing: expected --kubeconfig FILE, found none"),
        (["--in-cluster", "--cluster", "kind", "--registry", "a"], "--registry: expected --cluster existing with it"),
    ],
)
def test_options_of_a_load_that_do_not_go_together_are_told_before_it(seatrial, options, said):
    scenario = content("scenarios") / "openmed-deidentify.yaml"
    status, told = seatrial("load", scenario, "--host", "http://web.shop", *options)
    assert status == 3
    assert said in told
