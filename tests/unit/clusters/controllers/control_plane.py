"""A store with controllers and a make-believe kubelet, and short ways to say what is in it."""

import asyncio
import itertools
import time
from collections.abc import Callable

from seatrial.clusters.local.controllers.manager import ControllerManager
from seatrial.clusters.local.store import Store, timestamp

NAMESPACE = "default"
ROUNDS = 200  # of the event loop, far more than any chain of controllers needs


class ControlPlane:
    """Pods do what `pod_starts` does to a new pod's status, and end as soon as they are told to if `pods_end`."""

    def __init__(self, claims):
        self.store = Store()
        self.usage = {}
        self.pod_starts: Callable = ready
        self.pods_end = True
        self._manager = ControllerManager(self.store, claims=claims, usage=self._usage_of, endpoint_batch_period_s=0.0)
        self._addresses = (f"127.0.1.{number}" for number in itertools.count(1))

    def _usage_of(self, pod):
        return self.usage.get(pod["metadata"]["name"])

    async def __aenter__(self):
        self._pods = self.store.subscribe("pods")
        self._kubelet = asyncio.create_task(self._run_pods())
        self._manager.start()
        await self.settle()
        return self

    async def __aexit__(self, *_):
        await self._manager.stop()
        self._pods.close()
        await self._kubelet

    async def _run_pods(self):
        async for event in self._pods:
            name = event.object["metadata"]["name"]
            if event.type == "ADDED":
                self.store.mutate("pods", NAMESPACE, name, assign)
                self.set_pod(name, self.pod_starts, podIP=next(self._addresses), startTime=timestamp())
            elif event.type == "MODIFIED" and "deletionTimestamp" in event.object["metadata"] and self.pods_end:
                self.end_pod(name)

    def set_pod(self, name, change, **status):
        def both(draft):
            draft["status"] = draft.get("status", {}) | status
            change(draft["status"])

        self.store.mutate("pods", NAMESPACE, name, both, subresource="status")

    def end_pod(self, name, phase="Succeeded"):
        self.set_pod(name, lambda status: None, phase=phase)
        pod = self.store.find("pods", NAMESPACE, name)
        if pod and "deletionTimestamp" in pod["metadata"]:
            self.store.remove("pods", NAMESPACE, name)

    async def settle(self):
        """Until nothing changes any more."""
        for _ in range(ROUNDS):
            await asyncio.sleep(0)

    def create(self, resource, name, spec=None, **more):
        metadata = {"name": name, "namespace": NAMESPACE} | more.pop("metadata", {})
        return self.store.create(resource, {"metadata": metadata, **({"spec": spec} if spec else {}), **more})

    def change(self, resource, name, **spec):
        def change(draft):
            draft["spec"] |= spec

        return self.store.mutate(resource, NAMESPACE, name, change)

    def get(self, resource, name):
        return self.store.get(resource, NAMESPACE, name)

    def status(self, resource, name):
        return self.get(resource, name)["status"]

    def names(self, resource):
        return [found["metadata"]["name"] for found in self.store.list(resource, NAMESPACE)]

    def pods(self):
        return self.store.list("pods", NAMESPACE)

    def sizes(self):
        """The sizes of all ReplicaSets, by the image they run."""
        sets = self.store.list("replicasets", NAMESPACE)
        return {
            found["spec"]["template"]["spec"]["containers"][0]["image"]: found["spec"]["replicas"] for found in sets
        }

    def event_reasons(self):
        return {found["reason"] for found in self.store.list("events", NAMESPACE)}


def image_of(template):
    return template["spec"]["containers"][0]["image"]


def assign(pod):
    pod["spec"]["nodeName"] = "local"


def ready(status):
    running(status)
    status["conditions"] = [{"type": "Ready", "status": "True", "lastTransitionTime": timestamp()}]


def unready(status):
    running(status)
    status["conditions"] = [{"type": "Ready", "status": "False", "lastTransitionTime": timestamp()}]


def running(status):
    status["phase"] = "Running"


def template(image="shop:1", app="shop", **pod_spec):
    container = {"name": "server", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [container], **pod_spec}}


def deployment_spec(replicas=3, image="shop:1", **more):
    return {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "shop"}},
        "template": template(image),
        "progressDeadlineSeconds": 600,
        "revisionHistoryLimit": 10,
        **more,
    }


def condition(obj_or_status, type_):
    status = obj_or_status.get("status", obj_or_status)
    return next(
        ((found["status"], found.get("reason")) for found in status.get("conditions", ()) if found["type"] == type_),
        None,
    )


async def later(condition_holds, within_s=5.0):
    """Wait until something that takes real time has happened."""
    end = time.monotonic() + within_s
    while not condition_holds():
        assert time.monotonic() < end, "did not happen in time"
        await asyncio.sleep(0.02)
