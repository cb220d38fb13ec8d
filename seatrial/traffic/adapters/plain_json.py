"""Any service that takes one JSON document and answers with another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.traffic.adapters.base import Reply, json_reply, post
from seatrial.traffic.plan import Exchange


@dataclass(frozen=True, slots=True)
class PlainJson:
    """A POST to one path; what a case gives is the document."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def streaming(self) -> bool:
        return False

    def exchange(self, case: str, given: Any, expect: Any = None, tolerance: float = 0.0) -> Exchange:
        return post(case, self.path, self.headers, given, expect, tolerance)

    def reply(self, status: int, body: bytes) -> Reply:
        return json_reply(status, body)
