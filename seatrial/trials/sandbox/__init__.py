"""A release in a namespace of its own, and one room for each thing that a trial does with it.

`release` installs and upgrades, `workload(name)` has the pods, `traffic` the generators, `watch` what the cluster says,
`nodes` where pods may go, `dependency(name)` the gate before what the release depends on.
"""

from seatrial.trials.sandbox.sandbox import RELEASE, Sandbox
from seatrial.trials.sandbox.traffic import LONE, lone_latency_s
from seatrial.trials.sandbox.workload import Eviction

__all__ = ["LONE", "RELEASE", "Eviction", "Sandbox", "lone_latency_s"]
