"""What the record says of a trial that was run twice."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.observation import GeneratorHealth


@dataclass(frozen=True, slots=True)
class FirstTry:
    """The run of a trial that was thrown away before anything was judged on it. `reason` is a clause.

    Start lags are seconds from the moment at which a request was due to the moment at which it was sent.
    """

    reason: str
    start_lag_p99_s: float
    start_lag_max_s: float

    @staticmethod
    def of(health: GeneratorHealth) -> FirstTry:
        """The first try of a trial whose generator did not keep its schedule."""
        unsent = health.scheduled - health.sent
        return FirstTry(
            f"the generator was up to {health.start_lag_max_s:.2f} s late "
            f"(p99 {health.start_lag_p99_s * 1000:.1f} ms)"
            + (f" and left {unsent} of {health.scheduled} requests unsent" if unsent else ""),
            health.start_lag_p99_s,
            health.start_lag_max_s,
        )

    def sentence(self, trial: str) -> str:
        """For readers of a run."""
        return f"trial {trial} was run twice; in the first try {self.reason}"
