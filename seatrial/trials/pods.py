"""Pods of Seatrial's own: what they are made of, and waiting until they are Ready."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from seatrial.errors import ClusterError
from seatrial.images import refuse_unpullable
from seatrial.watch.api import Api
from seatrial.watch.pods import is_ready
from seatrial.watch.trouble import state_of

UP_WITHIN_S = 90.0


def namespace(name: str, label: str, run_id: str) -> dict[str, Any]:
    """A namespace that `seatrial clean` finds."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {label: run_id}}}


def pod(image: str, name: str, app: str, cpu: str, served: dict[str, Any]) -> dict[str, Any]:
    """A pod of one container, which has `served` beside what each of ours has."""
    container = {
        "name": app,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}},
        **served,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": app}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }


def spread(image: str, name: str, app: str, cpu: str) -> dict[str, Any]:
    """A pod that keeps away from its like: on a node of its own as long as there is one."""
    made = pod(image, name, app, cpu, {})
    apart = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": app}}}
    # Preferred: on a cluster with room on one node only, two generators there are better than none.
    made["spec"]["affinity"] = {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": apart}]
        }
    }
    return made


def await_ready(api: Api, namespace: str, names: Sequence[str], image: str) -> dict[str, str]:
    """Wait until pods are Ready; their addresses by name.

    Raises InputError for an image that cannot be pulled, ClusterError when one is not Ready within UP_WITHIN_S.
    """
    deadline_s = time.monotonic() + UP_WITHIN_S
    addresses = {}
    for name in names:
        while not is_ready(found := api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")):
            refuse_unpullable(found)
            if time.monotonic() > deadline_s:
                raise ClusterError(
                    f"{namespace}/{name}: expected it Ready within {UP_WITHIN_S:.0f} s, found "
                    f"{state_of(found) or 'phase ' + str(found.get('status', {}).get('phase'))}; "
                    f"is image {image} on the nodes, and room for its requests?"
                )
            time.sleep(0.2)
        addresses[name] = str(found["status"]["podIP"])
    return addresses
