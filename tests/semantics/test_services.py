"""Services as other pods meet them: by name and by address, at ready pods only.

Source: Kubernetes, "Service"; "Virtual IPs and Service Proxies". Service ports are above 1023: an ordinary
user's machine gives no others away.
"""

import time
from collections import Counter

import pytest

from semantics.kube import Kube, eventually, is_true
from semantics.workload import PORT, Witness, probe, service

READY = {"readinessProbe": probe("ready", failureThreshold=1)}
ASK = """
import http.client
def ask(host, path="/who", timeout=2):
    try:
        connection = http.client.HTTPConnection(host, 8000, timeout=timeout)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.getheader("X-Pod") or str(answer.status)
    except ConnectionResetError:
        return "reset"
    except (ConnectionRefusedError, TimeoutError):
        return "refused"  # which of the two depends on ICMP limits
    except OSError as error:
        return repr(error)
    finally:
        connection.close()
"""
SERVER = """
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("X-Pod", os.environ["POD_NAME"])
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
on_sigterm(0, 12)
http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8080), Handler).serve_forever()
"""
# Keeps one connection, and opens a new one for every other request, five times a second.
CLIENT = """
kept = http.client.HTTPConnection("pair", 8000, timeout=2)
def ask_kept():
    kept.request("GET", "/who")
    answer = kept.getresponse()
    answer.read()
    return answer.getheader("X-Pod")
while True:
    try:
        tell("answers", new=ask("pair"), kept=ask_kept())
    except (OSError, http.client.HTTPException) as error:
        tell("cut", how=repr(error))
        kept.close()
    time.sleep(0.2)
"""


# Its readiness fails 4 s after SIGTERM; it ends 12 s after that.
LAST = """
status = ["200"]
def answers(script):
    while True:
        yield status[0]
def end():
    time.sleep(4)
    tell("unready")
    status[0] = "503"
    time.sleep(12)
    tell("exiting")
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: (tell("sigterm"), threading.Thread(target=end).start()))
serve(ready="", who="")
"""
ASK_LAST = """
while True:
    tell("answers", new=ask("last", timeout=1))
    time.sleep(0.2)
"""
# Until kube-proxy on the client's node has heard of both pods, or for half a minute.
BOTH = """
seen, deadline = set(), time.monotonic() + 30
while len(seen) < 2 and time.monotonic() < deadline:
    answer = ask("pair")
    if answer.startswith("pair-"):
        seen.add(answer)
    time.sleep(0.1)
"""
# How long before its end a pod must be without new connections: it drains for 12 s, and a kube-proxy on a busy
# machine hears of that some seconds late.
LEFT_S = 4


def at_8000(name: str, **more) -> dict:
    return service(name, ports=[{"name": "http", "port": 8000, "targetPort": PORT}], **more)


@pytest.fixture(scope="module")
def served(kube, witness):
    """A Service of two pods, one without ready pods, and one without any."""
    for name in ("pair", "unready", "empty"):
        kube.create(at_8000(name))
    whole = f"pair.{kube.namespace}.svc.cluster.local"
    for name, meant in (("alias", whole), ("astray", "pair")):
        kube.create(service(name, type="ExternalName", externalName=meant))
    kube.create(witness.deployment("pair", SERVER, replicas=2, pod={"terminationGracePeriodSeconds": 30}, **READY))
    kube.create(witness.pod("unready", "serve(ready='503')", **READY))
    eventually(lambda: kube.get("Deployment", "pair")["status"].get("availableReplicas") == 2, within_s=60)
    eventually(lambda: kube.get("Pod", "unready")["status"]["phase"] == "Running")
    names = ["pair", "pair." + kube.namespace, f"pair.{kube.namespace}.svc", whole]
    address = kube.get("Service", "pair")["spec"]["clusterIP"]
    asked = f"""
tell("names", answers={{name: ask(name) for name in {[*names, address]!r}}})
tell("aliases", alias=ask("alias"), astray=ask("astray"))
tell("spread", answers=[ask("pair") for _ in range(60)])
tell("nobody", unready=ask("unready"), empty=ask("empty"))
tell("env", host=os.environ.get("PAIR_SERVICE_HOST"), port=os.environ.get("PAIR_SERVICE_PORT"))
"""
    kube.create(witness.pod("client", ASK + BOTH + asked + CLIENT))
    eventually(lambda: witness.heard(kube.namespace, "client", "env"), within_s=90)
    return kube


def said(witness: Witness, kube: Kube, event: str) -> dict:
    return witness.heard(kube.namespace, "client", event)[0].more


def pods(kube: Kube) -> list[str]:
    return sorted(pod["metadata"]["name"] for pod in kube.all("Pod", labelSelector="app=pair"))


def test_it_is_reached_by_every_form_of_its_name_and_by_its_address(served, witness):
    answers = said(witness, served, "names")["answers"]
    assert len(answers) == 5
    assert set(answers.values()) <= set(pods(served))


def test_an_external_name_leads_to_a_service_by_its_whole_name(served, witness):
    answers = said(witness, served, "aliases")
    assert answers["alias"] in pods(served)
    assert answers["astray"].startswith("gaierror(")


def test_its_address_is_in_the_environment_of_later_pods(served, witness):
    env = said(witness, served, "env")
    assert (env["host"], env["port"]) == (served.get("Service", "pair")["spec"]["clusterIP"], "8000")


def test_new_connections_are_spread_over_the_ready_pods(served, witness):
    counts = Counter(said(witness, served, "spread")["answers"])
    assert set(counts) == set(pods(served))
    # Of 60 fair draws fewer than 10 for one of two happen once in 100 million times.
    assert min(counts.values()) >= 10


def test_without_a_ready_pod_nobody_answers(served, witness):
    nobody = said(witness, served, "nobody")
    assert (nobody["unready"], nobody["empty"]) == ("refused", "refused")


class TestDeletion:
    @pytest.fixture(scope="class")
    def deleted(self, served, witness):
        """The pod on which the client's kept connection was, when it was deleted, and when it ended."""
        kept = eventually(lambda: witness.heard(served.namespace, "client", "answers"))[-1].more["kept"]
        at = time.time()
        served.delete("Pod", kept)
        eventually(lambda: served.find("Pod", kept) is None, within_s=60)
        eventually(lambda: served.get("Deployment", "pair")["status"].get("availableReplicas") == 2, within_s=60)
        return kept, at, witness.heard(served.namespace, kept, "exiting")[0].at

    def test_an_established_connection_stays_until_the_pod_ends(self, served, witness, deleted):
        pod, at, end = deleted
        meanwhile = [one for one in witness.heard(served.namespace, "client", "answers") if at < one.at < end]
        assert len(meanwhile) >= 5
        assert {one.more["kept"] for one in meanwhile} == {pod}

    def test_new_connections_go_elsewhere(self, served, witness, deleted):
        pod, _, end = deleted
        late = [one for one in witness.heard(served.namespace, "client", "answers") if end - LEFT_S < one.at < end]
        assert late
        assert pod not in {one.more["new"] for one in late}

    def test_the_connection_is_cut_when_it_has_ended(self, served, witness, deleted):
        _, at, _ = deleted
        assert eventually(lambda: [one for one in witness.heard(served.namespace, "client", "cut") if one.at > at])

    def test_its_replacement_gets_its_share(self, served, witness, deleted):
        [fresh] = [pod for pod in pods(served) if is_true(served.get("Pod", pod), "Ready") and pod != deleted[0]][:1]
        eventually(lambda: fresh in {one.more["new"] for one in witness.heard(served.namespace, "client", "answers")})


@pytest.fixture(scope="module")
def last_pod(kube, witness):
    """When what happened to the only pod of a Service that was deleted, and what its client was answered."""
    kube.create(at_8000("last"))
    kube.create(witness.pod("last", LAST, spec={"terminationGracePeriodSeconds": 30}, **READY))
    eventually(lambda: is_true(kube.get("Pod", "last"), "Ready"), within_s=60)
    kube.create(witness.pod("asks-last", ASK + ASK_LAST))
    eventually(lambda: "200" in answers(witness, kube), within_s=60)
    time.sleep(1)  # so that its handler is set
    kube.delete("Pod", "last")
    eventually(lambda: kube.find("Pod", "last") is None, within_s=60)

    def when(event: str) -> float:
        return witness.heard(kube.namespace, "last", event)[0].at

    return when, witness.heard(kube.namespace, "asks-last", "answers")


class TestTheLastPod:
    """Source: KEP-1669: with no other endpoint, those that terminate and are still ready are used."""

    def test_goes_on_getting_new_connections_while_it_terminates(self, last_pod):
        when, said = last_pod
        begin, end = when("sigterm") + 0.5, when("unready")
        assert {one.more["new"] for one in said if begin < one.at < end} == {"200"}

    def test_until_it_is_no_longer_ready(self, last_pod):
        when, said = last_pod
        end = when("exiting")
        assert {one.more["new"] for one in said if end - LEFT_S < one.at < end} == {"refused"}


def answers(witness: Witness, kube: Kube) -> list[str]:
    return [one.more["new"] for one in witness.heard(kube.namespace, "asks-last", "answers")]
