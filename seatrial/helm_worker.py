"""The Helm library in a process of its own: one JSON request a line in, one JSON answer a line out.

The library is a Go runtime of 85 MB that does not survive a fork, so it is never loaded where others may
fork. Requests run in threads of their own (the library releases the interpreter lock): an install that waits
for its pods does not hold up a render. The process ends when its input ends, however its parent died; a
parent-death signal would be tied to the thread that happened to start it.
"""

import json
import os
import signal
import sys
import threading
from typing import Any, TextIO

import helm_python
from helm_python import _native


def version() -> str:
    return helm_python.helm_sdk_version()


def render(*, chart: str, values: dict[str, Any], **how: Any) -> dict[str, str]:
    # Loaded anew each time: a chart may have been edited since.
    with helm_python.Chart.load(chart) as loaded:
        # Chart.render passes on neither the cluster's version nor its API versions, which the library takes.
        text = _native.call_string("helm_render", loaded._raw(), json.dumps(values), json.dumps(how))
    rendered: dict[str, str] = json.loads(text)
    return rendered


def lint(*, chart: str, values: dict[str, Any]) -> dict[str, Any]:
    return helm_python.lint(chart, values)


def install(*, target: dict[str, Any], chart: str, release: str, values: dict[str, Any], **how: Any) -> dict[str, Any]:
    with helm_python.Config(**target) as cluster:
        return cluster.install(chart, release, values, **how)


def upgrade(*, target: dict[str, Any], chart: str, release: str, values: dict[str, Any], **how: Any) -> dict[str, Any]:
    with helm_python.Config(**target) as cluster:
        return cluster.upgrade(chart, release, values, reset_values=True, **how)


def rollback(*, target: dict[str, Any], release: str, **how: Any) -> None:
    with helm_python.Config(**target) as cluster:
        cluster.rollback(release, **how)


def uninstall(*, target: dict[str, Any], release: str, **how: Any) -> dict[str, Any]:
    with helm_python.Config(**target) as cluster:
        return cluster.uninstall(release, **how)


def history(*, target: dict[str, Any], release: str) -> list[dict[str, Any]]:
    with helm_python.Config(**target) as cluster:
        cluster.check_reachable()  # without it an unusable kubeconfig makes the library panic
        return cluster.history(release)


ACTIONS = {
    action.__name__: action for action in (version, render, lint, install, upgrade, rollback, uninstall, history)
}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"id": request["id"], "result": ACTIONS[request["action"]](**request["arguments"])}
    except helm_python.HelmError as error:
        return {"id": request["id"], "error": type(error).__name__, "message": error.detail.strip()}


def serve(requests: TextIO, answers: TextIO) -> None:
    writing = threading.Lock()

    def handle(line: str) -> None:
        encoded = json.dumps(answer(json.loads(line)))
        with writing:
            answers.write(encoded + "\n")
            answers.flush()

    for line in requests:
        threading.Thread(target=handle, args=(line,), daemon=True).start()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks; this process ends with it
    # Whatever the library prints must not land among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin, answers)
    os._exit(0)  # an action under way must not outlive whoever asked for it


if __name__ == "__main__":
    main()
