"""What one service promises: `contract.yaml` beside its chart, read once and then frozen.

A promise that is not made is not checked. A number that a Helm value governs is written
`{value: dotted.path, set: X}`: the trial installs with X there, and the chart must have the path.
"""

from seatrial.contract.autoscaling import Autoscaling
from seatrial.contract.base import Governed, Json, Number, Part, Positive, Promise, Seconds
from seatrial.contract.batching import Batching, Poison
from seatrial.contract.contract import LEAST_CASES, Contract
from seatrial.contract.drain import Drain
from seatrial.contract.faults import Faults
from seatrial.contract.inference import Case, Inference, LongCase, Pattern
from seatrial.contract.limits import Concurrency, ConcurrencyReject, Limits, RateLimit, RateReject, Reject, RetryAfter
from seatrial.contract.metrics import Metrics
from seatrial.contract.probes import LivenessProbe, Probe, Probes, ReadinessProbe, ShedsLoad
from seatrial.contract.reading import FILE, read_contract
from seatrial.contract.restart import Restart
from seatrial.contract.values import governed, merged, placed
from seatrial.contract.weights import Weights

__all__ = [
    "FILE",
    "LEAST_CASES",
    "Autoscaling",
    "Batching",
    "Case",
    "Concurrency",
    "ConcurrencyReject",
    "Contract",
    "Drain",
    "Faults",
    "Governed",
    "Inference",
    "Json",
    "Limits",
    "LivenessProbe",
    "LongCase",
    "Metrics",
    "Number",
    "Part",
    "Pattern",
    "Poison",
    "Positive",
    "Probe",
    "Probes",
    "Promise",
    "RateLimit",
    "RateReject",
    "ReadinessProbe",
    "Reject",
    "Restart",
    "RetryAfter",
    "Seconds",
    "ShedsLoad",
    "Weights",
    "governed",
    "merged",
    "placed",
    "read_contract",
]
