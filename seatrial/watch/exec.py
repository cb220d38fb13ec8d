"""Runs a command in a container over the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubernetes import client, config
from kubernetes.stream import stream
from urllib3.exceptions import HTTPError
from websocket import WebSocketException

from seatrial.clusters.base import Cluster
from seatrial.errors import ClusterError


def run_in_pod(cluster: Cluster, namespace: str, pod: str, container: str, command: Sequence[str]) -> str:
    """The command's output, both streams. A connection that ends with the container is not an error.

    Raises ClusterError when the command cannot be started.
    """
    try:
        connect: Any = config.new_client_from_config
        api = client.CoreV1Api(connect(str(cluster.kubeconfig()), cluster.context))
        return str(
            stream(
                api.connect_get_namespaced_pod_exec, pod, namespace, container=container, command=list(command),
                stdin=False, stdout=True, stderr=True, tty=False, _request_timeout=30,
            )
        )  # fmt: skip
    except (client.ApiException, HTTPError, WebSocketException, OSError) as broken:
        raise ClusterError(
            f"{namespace}/{pod}: expected to run {' '.join(command)} in {container}, found {broken!s:.300}; "
            "see that the command exists in the image and that pods/exec may be created"
        ) from None
