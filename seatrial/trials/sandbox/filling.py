"""Objects into a store that was just brought up, through the pod of its gate: nothing else need reach it."""

from __future__ import annotations

import base64
import json
import queue

from seatrial.clusters.base import Cluster
from seatrial.dependencies.base import Objects
from seatrial.dependencies.kinds import Planned
from seatrial.dependencies.manifests import GATE, gate_pod, server_pod
from seatrial.errors import ClusterError
from seatrial.traffic.channel import ExecChannel

FRAME_BYTES = 256_000  # of what is sent over the exec API at once
WITHIN_S = 120.0


def fill(cluster: Cluster, namespace: str, planned: Planned, objects: Objects) -> None:
    """Make the bucket and store these objects. Raises ClusterError with what the store says."""
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()
    channel = ExecChannel(
        cluster.kubeconfig(),
        cluster.context,
        namespace,
        gate_pod(planned.name),
        GATE,
        module="seatrial.dependencies.s3_client",
    )
    channel.open(lambda line: answers.put(line.decode()), answers.put)
    try:
        store = {"host": server_pod(planned.name), "port": planned.kind.port, "bucket": objects.bucket}
        _send(channel, {**store, "access_key": objects.access_key, "secret_key": objects.secret_key})
        for key, file in objects.files.items():
            _send(channel, {"key": key, "data": base64.b64encode(file.read_bytes()).decode()})
        _send(channel, {})
        said = answers.get(timeout=WITHIN_S)
    except queue.Empty:
        said = f"no answer within {WITHIN_S:.0f} s"
    finally:
        channel.close()
    if f'"stored": {len(objects.files)},' not in said:
        raise ClusterError(
            f"{planned.key}: expected {len(objects.files)} objects stored in bucket {objects.bucket}, "
            f"found {said[:600]}; see the log of pod {namespace}/{server_pod(planned.name)}"
        )


def _send(channel: ExecChannel, line: dict[str, object]) -> None:
    data = json.dumps(line).encode() + b"\n"
    for start in range(0, len(data), FRAME_BYTES):
        channel.send(data[start : start + FRAME_BYTES])
