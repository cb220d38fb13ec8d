"""How a deleted pod came to its end: whether it showed that it heard SIGTERM, and what it did until it was killed.

Source: Kubernetes, "Pod Lifecycle", termination of pods: what still runs at the end of the grace period is killed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from seatrial.ledger import Request
from seatrial.trials.pod_deletion import REQUESTS, PodDeletion, Round
from seatrial.watch.ownership import own_changes
from seatrial.watch.pods import Termination, endpoint_states, of_pod

KILLED, OUT_OF_MEMORY = 137, "OOMKilled"
LATELY_S = 2.0  # before an end that is known to a second
UNHEARD = "exec the server as process 1, or use an init that forwards signals; install the handler before serving"


def signs_s(deletion: PodDeletion, round: Round) -> list[float]:
    """When the victim showed that it was told: in its log, by its readiness, its listener, or its answers."""
    signs = [] if round.drain_sign_s is None else [round.drain_sign_s]
    signs += [
        state.at_s
        for state in endpoint_states(own_changes(deletion), round.victim)
        if state.at_s > round.deleted_s and state.present and not state.serving
    ]
    connects = deletion.ledger.of("connect").to(round.victim)
    signs += connects.sent_s[
        (connects.error == connects.code("refused")) & (connects.sent_s > round.deleted_s)
    ].tolist()
    kept = kept_rows(deletion, round)
    if any(row.status and not _told_to_close(row) and row.ended_s <= round.deleted_s for row in kept):
        signs += [row.first_byte_s for row in kept if _told_to_close(row) and row.first_byte_s > round.deleted_s]
    return signs


def what_held_up(deletion: PodDeletion, round: Round, late: Sequence[Termination], container: str) -> tuple[str, str]:
    """What a victim did until containers of it were killed, or ended far too late; and what to do about it.

    `late` are their ends, `container` is the server's, "" for the pod's first. Both are sentences; ("", "") where
    none was late.
    """
    if not late:
        return "", ""
    if any(end.reason == OUT_OF_MEMORY for end in late):
        return "killed for its memory", "raise the memory limit, or let the server hold less when it is loaded"
    server = container or _first_container(deletion, round)
    servers = [end for end in late if end.container == server]
    if not servers:
        names = ", ".join(end.container for end in late)
        return (
            f"{server} ended by itself, {names} did not",
            f"let SIGTERM reach the process of container {names}, or make it a sidecar among the initContainers",
        )
    ended_s = deletion.exit_s(servers[0])
    if servers[0].exit_code == KILLED and ended_s < round.deleted_s + round.grace_period_s - LATELY_S:
        return (
            "the grace period was not over",
            "find what sends SIGKILL: a supervisor with a timeout of its own, or a parent that ends before its workers",
        )
    return _what_the_server_did(deletion, round, ended_s)


def _what_the_server_did(deletion: PodDeletion, round: Round, ended_s: float) -> tuple[str, str]:
    """Up to its end, which may be up to a second later than `ended_s`: what is refused after that is no sign."""
    heard_s = min((sign_s for sign_s in signs_s(deletion, round) if sign_s < ended_s), default=None)
    if heard_s is None:
        return "no sign that SIGTERM was heard", UNHEARD
    heard = f"SIGTERM was heard after {max(0.0, heard_s - round.sigterm_due_s):.2f} s"
    lately_s = ended_s - LATELY_S
    connects = deletion.ledger.of("connect").to(round.victim)
    accepts = bool(len(connects.select((connects.error == connects.code("")) & (connects.ended_s >= lately_s))))
    kept = any(row.right and row.ended_s >= lately_s and row.sent_s > heard_s for row in kept_rows(deletion, round))
    if kept:
        return (
            f"{heard}, and kept connections were served{' and new ones accepted' if accepts else ''} to the end",
            "when SIGTERM comes, answer with `Connection: close`, and close kept connections that are idle"
            + ("; tell it to every worker, stop accepting, and exit" if accepts else ""),
        )
    if accepts:
        return (
            f"{heard}, and new connections were accepted to the end",
            "let what hears SIGTERM end the server: pass it on to every worker, stop accepting, finish, exit",
        )
    requests = deletion.ledger.in_group(round.index).to(round.victim).of(*REQUESTS)
    left = requests.select((requests.sent_s <= heard_s) & ~(requests.ended_s < lately_s))
    if len(left):
        number = "one request" if len(left) == 1 else f"{len(left)} requests"
        return (
            f"{heard}, and {number} from before it stayed open to the end",
            "bound the drain: let the server end what is still open when its budget is over, and exit",
        )
    return (
        f"{heard}, and no request held up the end",
        "exit when the last request is answered: end threads, children and background work",
    )


def _first_container(deletion: PodDeletion, round: Round) -> str:
    spec = next(of_pod(deletion.timeline.changes, round.victim)).object["spec"]
    return str(spec["containers"][0]["name"])


def kept_rows(deletion: PodDeletion, round: Round) -> list[Request]:
    """The requests that a round sent on kept connections to its victim."""
    return [row for row in deletion.ledger.in_group(round.index).to(round.victim) if row.load.startswith("kept-")]


def _told_to_close(row: Request) -> bool:
    return str(json.loads(row.headers or "{}").get("connection", "")).lower() == "close"
