"""The contract's JSON Schema, for editors and for whoever writes contracts by program.

Source: JSON Schema, draft 2020-12. What only the whole file or the chart can tell (cases whose answers differ, a
value that the chart has) is judged by `seatrial certify`.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from seatrial.contract.apis import AdapterFile
from seatrial.contract.cases import Case, LargeCase, LongCase, Pattern
from seatrial.contract.contract import Contract
from seatrial.contract.streaming import Streaming

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SHORT = {
    Streaming: {"type": "boolean", "description": "Whether answers come as streams of events."},
    AdapterFile: {"type": "string", "description": "Its path, from the contract."},
}
FILE_OF_CASES = {"type": "string", "description": "A YAML file beside the contract that holds the list."}


class WithoutTitles(GenerateJsonSchema):
    """Keys have their descriptions; a title would only repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


def contract_schema() -> dict[str, Any]:
    """The schema of a contract as it may stand in its file: with what it names of other files, and short forms."""
    schema = Contract.model_json_schema(schema_generator=WithoutTitles)
    models = schema["$defs"]
    models[Pattern.__name__] = Pattern.model_json_schema(schema_generator=WithoutTitles)
    for model in [schema, *models.values()]:
        for name, written in model.get("properties", {}).items():
            if _lists_cases(written):
                listed = {key: written[key] for key in ("type", "items")}
                choice = [listed, {"$ref": f"#/$defs/{Pattern.__name__}"}, FILE_OF_CASES]
                model["properties"][name] = {**_without(written, listed), "anyOf": choice}
            for kind, short in _SHORT.items():
                if {"$ref": f"#/$defs/{kind.__name__}"} in written.get("anyOf", ()):
                    written["anyOf"].append(short)
    for kind in (Case, LargeCase, LongCase, Pattern):
        answered = models[kind.__name__]
        answered["required"].remove("expect")
        answered["anyOf"] = [{"required": [name]} for name in ("expect", "equals", "contains", "any")]
    return {"$schema": DIALECT, **schema, "anyOf": [{"required": ["inference"]}, {"required": ["apis"]}]}


def _lists_cases(written: dict[str, Any]) -> bool:
    return written.get("items") == {"$ref": f"#/$defs/{Case.__name__}"}


def _without(written: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in written.items() if key not in keys}
