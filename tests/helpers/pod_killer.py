"""Kills pods beside the subject while a trial is under way."""

import threading
import time
from collections.abc import Sequence

from seatrial.trials.context import RUN_LABEL
from seatrial.watch.api import Api


class PodKiller(threading.Thread):
    """Deletes the pods with these labels at each of `at_s`, in seconds from when the trial's namespace was first seen.

    The trial is named as its sandbox is; it may be run twice, in another namespace. It ends with its `with`.
    """

    def __init__(self, api: Api, trial: str, labels: str, at_s: Sequence[float]) -> None:
        super().__init__(daemon=True)
        self._api, self._trial, self._labels, self._at_s = api, trial, labels, at_s
        self._over = threading.Event()
        self.killed: dict[str, list[str]] = {}  # names by namespace

    def __enter__(self) -> "PodKiller":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        seen_s: dict[str, float] = {}
        while not self._over.wait(0.5):
            for namespace in self._namespaces():
                age_s = time.monotonic() - seen_s.setdefault(namespace, time.monotonic())
                killed = self.killed.setdefault(namespace, [])
                if len(killed) < len(self._at_s) and age_s >= self._at_s[len(killed)]:
                    killed += self._kill(namespace)

    def _namespaces(self) -> list[str]:
        items = self._api.get("/api/v1/namespaces", labelSelector=RUN_LABEL)["items"]
        return [item["metadata"]["name"] for item in items if item["metadata"]["name"].endswith(f"-{self._trial}")]

    def _kill(self, namespace: str) -> list[str]:
        pods = f"/api/v1/namespaces/{namespace}/pods"
        names = [pod["metadata"]["name"] for pod in self._api.get(pods, labelSelector=self._labels)["items"]]
        for name in names:
            self._api.delete(f"{pods}/{name}", gracePeriodSeconds="0")
        return names
