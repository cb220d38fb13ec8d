"""The Open Inference Protocol over HTTP: tensors in, tensors out.

Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md (also called the V2 protocol). Tensors
are JSON; the binary extension of some servers is not asked for.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self
from urllib.parse import quote

from seatrial.errors import InputError
from seatrial.traffic.adapters.base import Reader, Reply, Settings, WholeReader, json_reply, post
from seatrial.traffic.plan import Exchange

API = "open-inference"
_MOST_DIMENSIONS = 64  # as NumPy has


@dataclass(frozen=True, slots=True)
class OpenInference:
    """One model; `version` "" leaves the choice to the server.

    A case gives the list of input tensors (name, shape, datatype, data), or the whole request with `inputs` in it.
    """

    model: str
    version: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    elsewhere: str = ""  # the path, where it is not that of the protocol
    parameters: Mapping[str, Any] = field(default_factory=dict)  # fields of every request
    kind: ClassVar[str] = API
    generates: ClassVar[bool] = False
    readers: ClassVar[Mapping[str, Callable[[], Reader]]] = {API: lambda: WholeReader(whole)}

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises InputError for a setting that the protocol has no use for, or without a model."""
        settings.refuse(cls.kind, "method", "streaming")
        settings.need(cls.kind, "model", "the name that the server knows the model by")
        return cls(settings.model, headers=settings.headers, elsewhere=settings.path, parameters=settings.parameters)

    @property
    def api(self) -> str:
        """Who reads its answers."""
        return API

    @property
    def path(self) -> str:
        """Where the model is asked."""
        if self.elsewhere:
            return self.elsewhere
        version = f"/versions/{quote(self.version, safe='')}" if self.version else ""
        return f"/v2/models/{quote(self.model, safe='')}{version}/infer"

    def exchange(self, case: str, given: Any, expect: Any = None, tolerance: float = 0.0) -> Exchange:
        document = {**self.parameters, **(given if isinstance(given, Mapping) else {"inputs": given})}
        inputs = document.get("inputs")
        if not isinstance(inputs, list | tuple) or not inputs:
            raise InputError(
                f"case {case}: expected one input tensor or more, found {inputs!r}; "
                "give a list of mappings with name, shape, datatype and data"
            )
        for number, tensor in enumerate(inputs):
            if wrong := _wrong_tensor(tensor):
                raise InputError(f"case {case}, inputs[{number}]: {wrong}; correct the tensor")
        return post(case, self.path, self.headers, document, expect, tolerance, self.api)


def whole(status: int, body: bytes) -> Reply:
    """What an answer says."""
    reply = json_reply(status, body)
    if reply.problem:
        return reply
    outputs = reply.value.get("outputs") if isinstance(reply.value, dict) else None
    if not isinstance(outputs, list) or not outputs:
        return replace(reply, problem="expected output tensors, found none")
    for number, tensor in enumerate(outputs):
        if wrong := _wrong_tensor(tensor):
            return replace(reply, problem=f"outputs[{number}]: {wrong}")
    return reply


def _wrong_tensor(tensor: Any) -> str:
    """What is wrong with a tensor; "" if it is one. Its data may be nested or flat, in row-major order."""
    if not isinstance(tensor, Mapping) or not {"name", "shape", "datatype", "data"} <= tensor.keys():
        return "expected a tensor with name, shape, datatype and data, found other keys"
    shape = tensor["shape"]
    whole = isinstance(shape, list | tuple) and all(type(size) is int and size >= 0 for size in shape)
    if not whole or len(shape) > _MOST_DIMENSIONS:
        return f"shape: expected at most {_MOST_DIMENSIONS} whole numbers, found {reprlib.repr(shape)}"
    if not isinstance(tensor["data"], list | tuple):
        return f"data: expected a list, found {type(tensor['data']).__name__}"
    found = _elements(tensor["data"])
    if found != math.prod(shape):
        return f"data: expected {math.prod(shape)} elements for the shape {reprlib.repr(list(shape))}, found {found}"
    return ""


def _elements(data: Sequence[Any]) -> int:
    """How many values a nested list holds."""
    found, rest = 0, [data]
    while rest:
        for one in rest.pop():
            if isinstance(one, list | tuple):
                rest.append(one)
            else:
                found += 1
    return found


Adapter = OpenInference
