"""Any service that takes one JSON document and answers with another."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from seatrial.errors import InputError
from seatrial.traffic.adapters.base import Reader, Settings, WholeReader, json_reply
from seatrial.traffic.plan import Exchange

API: Final = "json"


@dataclass(frozen=True, slots=True)
class PlainJson:
    """One path; what a case gives is the document.

    Its exchanges name no API, so that any JSON with a 2xx status is an answer, as `subset` reads it; one whose answer
    has to be no more than that (`any`) names it.
    """

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    kind: ClassVar[str] = API
    generates: ClassVar[bool] = False
    readers: ClassVar[Mapping[str, Callable[[], Reader]]] = {API: lambda: WholeReader(json_reply)}

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises InputError for a setting that plain JSON has no use for, or without a path."""
        settings.need(cls.kind, "path", "where the service is asked")
        settings.refuse(cls.kind, "model", "streaming", "parameters")
        return cls(settings.path, settings.headers, settings.method)

    @property
    def api(self) -> str:
        """Who reads its answers, where they are read."""
        return API

    def exchange(self, case: str, given: Any, expect: Any = None, tolerance: float = 0.0) -> Exchange:
        try:
            body = json.dumps(given).encode()
        except (TypeError, ValueError) as reason:
            raise InputError(f"case {case}: expected a request that JSON can say, found {reason}; correct it") from None
        headers = {"Content-Type": "application/json", **self.headers}
        if any(name.lower() == "content-type" and name != "Content-Type" for name in self.headers):
            del headers["Content-Type"]  # one is enough, however it is written
        return Exchange(case, self.method, self.path, tuple(headers.items()), body, expect, tolerance)


Adapter = PlainJson
