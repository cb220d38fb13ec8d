"""What one service promises: `contract.yaml` beside its chart, read once and then frozen.

A promise that is not made is not checked. A number that a Helm value governs is written
`{value: dotted.path, set: X}`: the trial installs with X there, and the chart must have the path.
"""

from seatrial.contract.apis import LEAST_CASES, AdapterFile, Api, Credentials, SecretKey, StreamingApi
from seatrial.contract.autoscaling import Autoscaling
from seatrial.contract.base import Governed, Json, Number, Part, Positive, Promise, Seconds
from seatrial.contract.batching import Batching, Poison
from seatrial.contract.cases import Answer, Case, Comparator, LargeCase, LongCase, Pattern, Repeat
from seatrial.contract.contract import Contract
from seatrial.contract.dependencies import (
    Brought,
    Dependencies,
    Dependency,
    ObjectStore,
    Postgres,
    Route,
    SecretValues,
    Upstream,
)
from seatrial.contract.drain import Drain
from seatrial.contract.faults import Faults
from seatrial.contract.limits import Concurrency, ConcurrencyReject, Limits, RateLimit, RateReject, Reject, RetryAfter
from seatrial.contract.metrics import Metrics
from seatrial.contract.probes import LivenessProbe, Probe, Probes, ReadinessProbe, ShedsLoad
from seatrial.contract.reading import FILE, files_of, read_contract
from seatrial.contract.restart import Restart
from seatrial.contract.rollout import HarmlessChange, Rollout
from seatrial.contract.streaming import Streaming
from seatrial.contract.values import governed, merged, placed
from seatrial.contract.weights import Weights
from seatrial.contract.workloads import DeclaredWorkload

__all__ = [
    "FILE",
    "LEAST_CASES",
    "AdapterFile",
    "Answer",
    "Api",
    "Autoscaling",
    "Batching",
    "Brought",
    "Case",
    "Comparator",
    "Concurrency",
    "ConcurrencyReject",
    "Contract",
    "Credentials",
    "DeclaredWorkload",
    "Dependencies",
    "Dependency",
    "Drain",
    "Faults",
    "Governed",
    "HarmlessChange",
    "Json",
    "LargeCase",
    "Limits",
    "LivenessProbe",
    "LongCase",
    "Metrics",
    "Number",
    "ObjectStore",
    "Part",
    "Pattern",
    "Poison",
    "Positive",
    "Postgres",
    "Probe",
    "Probes",
    "Promise",
    "RateLimit",
    "RateReject",
    "ReadinessProbe",
    "Reject",
    "Repeat",
    "Restart",
    "RetryAfter",
    "Rollout",
    "Route",
    "Seconds",
    "SecretKey",
    "SecretValues",
    "ShedsLoad",
    "Streaming",
    "StreamingApi",
    "Upstream",
    "Weights",
    "files_of",
    "governed",
    "merged",
    "placed",
    "read_contract",
]
