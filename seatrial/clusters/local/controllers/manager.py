"""All controllers of one cluster, started and stopped together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seatrial.clusters.local.controllers.autoscaler import AutoscalerController, Usage
from seatrial.clusters.local.controllers.controller import Controller
from seatrial.clusters.local.controllers.deployment import DeploymentController
from seatrial.clusters.local.controllers.disruption import DisruptionController
from seatrial.clusters.local.controllers.endpointslice import BATCH_PERIOD_S, EndpointSliceController
from seatrial.clusters.local.controllers.garbage import GarbageCollector
from seatrial.clusters.local.controllers.job import JobController
from seatrial.clusters.local.controllers.namespace import NamespaceController
from seatrial.clusters.local.controllers.replicaset import ReplicaSetController
from seatrial.clusters.local.controllers.service import ServiceController
from seatrial.clusters.local.controllers.statefulset import StatefulSetController
from seatrial.clusters.local.controllers.unsupported import UnsupportedController
from seatrial.clusters.local.controllers.volume import STANDARD, VolumeController
from seatrial.clusters.local.store import Store


class ControllerManager:
    """Runs the controllers on the current loop."""

    def __init__(
        self,
        store: Store,
        *,
        claims: Path,
        usage: Usage,
        root_ca: str = "",
        endpoint_batch_period_s: float = BATCH_PERIOD_S,
    ) -> None:
        """`claims` is the kubelet's folder of volumes, `usage` says what a pod uses, `root_ca` is a PEM."""
        self._store = store
        self._controllers: Sequence[Controller] = (
            NamespaceController(store, root_ca),
            ServiceController(store),
            DeploymentController(store),
            ReplicaSetController(store),
            StatefulSetController(store),
            JobController(store),
            EndpointSliceController(store, endpoint_batch_period_s),
            DisruptionController(store),
            VolumeController(store, claims),
            AutoscalerController(store, usage),
            GarbageCollector(store),
            UnsupportedController(store),
        )

    def start(self) -> None:
        """Begin; StorageClass `standard` exists then."""
        if self._store.find("storageclasses", None, STANDARD["metadata"]["name"]) is None:
            self._store.create("storageclasses", STANDARD)
        for controller in self._controllers:
            controller.start()

    async def stop(self) -> None:
        """Cease; the objects stay as they are."""
        for controller in self._controllers:
            await controller.stop()
