"""The contract's JSON Schema, for editors and for whoever writes contracts by program.

Source: JSON Schema, draft 2020-12. What only the whole file or the chart can tell (cases whose answers differ, a
value that the chart has) is judged by `seatrial certify`.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from seatrial.contract.contract import Contract
from seatrial.contract.inference import Case, Pattern

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILE_OF_CASES = {"type": "string", "description": "A YAML file beside the contract that holds the list."}


class WithoutTitles(GenerateJsonSchema):
    """Keys have their descriptions; a title would only repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


def contract_schema() -> dict[str, Any]:
    """The schema of a contract as it may stand in its file: cases listed, as a pattern, or in a file of their own."""
    schema = Contract.model_json_schema(schema_generator=WithoutTitles)
    models = schema["$defs"]
    models[Pattern.__name__] = Pattern.model_json_schema(schema_generator=WithoutTitles)
    for model in [schema, *models.values()]:
        for name, written in model.get("properties", {}).items():
            if _lists_cases(written):
                listed = {key: written[key] for key in ("type", "items")}
                choice = [listed, {"$ref": f"#/$defs/{Pattern.__name__}"}, FILE_OF_CASES]
                model["properties"][name] = {**_without(written, listed), "anyOf": choice}
    return {"$schema": DIALECT, **schema}


def _lists_cases(written: dict[str, Any]) -> bool:
    return written.get("items") == {"$ref": f"#/$defs/{Case.__name__}"}


def _without(written: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in written.items() if key not in keys}
