"""Service-level objectives (SLOs), as a scenario states them: limits on percentiles, on errors, and on goodput."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_PERCENTILE = re.compile(r"p(\d{1,2}(\.\d+)?)")
# Of generated tokens, by the name that reports use; docs/metrics.md defines them.
GENERATED: Mapping[str, str] = {
    "ttft_s": "TTFT",
    "tpot_s": "TPOT",
    "longest_gap_s": "longest gap",
    "normalised_s": "normalised latency",
}


class Part(BaseModel):
    """A mapping of the file; keys that mean nothing are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Goodput(Part):
    """Requests whose right answer keeps every limit that is given: at least this share of those that were due.

    `deadline_s` counts from when a request was due to the last byte of its answer.
    """

    deadline_s: float | None = Field(default=None, gt=0)
    ttft_s: float | None = Field(default=None, gt=0)
    tpot_s: float | None = Field(default=None, gt=0)
    longest_gap_s: float | None = Field(default=None, gt=0)
    normalised_s: float | None = Field(default=None, gt=0)
    at_least_ratio: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.deadline_s is None and not self.generated:
            raise ValueError(f"expected one or more of deadline_s, {', '.join(GENERATED)}, found none")
        return self

    @property
    def generated(self) -> dict[str, float]:
        """The limits on generated tokens that are given."""
        return {name: limit for name in GENERATED if (limit := getattr(self, name)) is not None}

    @property
    def limits(self) -> str:
        """In words: `within 0.5 s`, `within 30 s with TTFT <= 1 s and TPOT <= 0.1 s`."""
        within = [f"within {self.deadline_s:g} s"] if self.deadline_s is not None else []
        named = [f"{GENERATED[name]} <= {limit:g} s" for name, limit in self.generated.items()]
        listed = " and ".join([", ".join(named[:-1]), *named[-1:]] if len(named) > 1 else named)
        return " ".join([*within, f"with {listed}"] if listed else within)


class Objectives(Part):
    """Service-level objectives (SLOs) of a stage; what is not given is not judged.

    `latency_s` and the metrics of generated tokens map a percentile (p50, p99.9) to the most it may be; a request
    without a right answer counts as one that never ended. There is no limit on the gaps of all requests together, as
    those of one stream are not independent: `longest_gap_s` is one value a request. `error_ratio` is the most that may
    be without a right answer; 0 allows none at all.
    """

    latency_s: dict[str, float] = Field(default_factory=dict)
    ttft_s: dict[str, float] = Field(default_factory=dict)
    tpot_s: dict[str, float] = Field(default_factory=dict)
    longest_gap_s: dict[str, float] = Field(default_factory=dict)
    normalised_s: dict[str, float] = Field(default_factory=dict)
    error_ratio: float | None = Field(default=None, ge=0, lt=1)
    goodput: Goodput | None = None

    @field_validator("latency_s", *GENERATED)
    @classmethod
    def _percentiles(cls, given: dict[str, float]) -> dict[str, float]:
        for name, limit_s in given.items():
            if not _PERCENTILE.fullmatch(name) or not 0 < percentile(name) < 100:
                raise ValueError(f"expected percentiles like p50, p99 or p99.9, found {name!r}")
            if not 0 < limit_s < math.inf:
                raise ValueError(f"expected seconds above 0 for {name}, found {limit_s}")
        return given


def percentile(name: str) -> float:
    """99.9 for p99.9."""
    return float(name[1:])
