"""The embedded cluster: a Kubernetes API with controllers and a kubelet in one process, pods as processes."""

from seatrial.clusters.local.cluster import LocalCluster, isolation_offered

__all__ = ["LocalCluster", "isolation_offered"]
