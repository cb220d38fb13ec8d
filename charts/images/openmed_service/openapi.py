"""The service described in OpenAPI 3, its request bodies from the same models that validate them."""

from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from . import SERVICE, VERSION
from .schemas import AnalyzeRequest, DeidentifyRequest, ExtractRequest, UnloadRequest

_POSTS = {
    "/analyze": (AnalyzeRequest, "Find what a model knows"),
    "/pii/extract": (ExtractRequest, "Find personal data"),
    "/pii/deidentify": (DeidentifyRequest, "Replace personal data"),
    "/models/unload": (UnloadRequest, "Unload models that are not in use"),
}
_GETS = {
    "/livez": "The process answers",
    "/readyz": "Preload is done and no drain has begun",
    "/health": "Version and profile",
    "/metrics": "Prometheus metrics, when enabled",
    "/models/loaded": "Models in memory",
}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "details": {}},
        }
    },
}


@cache
def document() -> dict[str, Any]:
    schemas = [(schema, "validation") for schema, _ in _POSTS.values()]
    _, definitions = models_json_schema(schemas, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    paths: dict[str, Any] = {path: {"get": _operation(summary)} for path, summary in _GETS.items()}
    for path, (schema, summary) in _POSTS.items():
        reference = {"$ref": f"#/components/schemas/{schema.__name__}"}
        body = {"required": True, "content": {"application/json": {"schema": reference}}}
        paths[path] = {"post": {**_operation(summary), "requestBody": body}}
    return {
        "openapi": "3.1.0",
        "info": {"title": SERVICE, "version": VERSION},
        "paths": paths,
        "components": {"schemas": definitions["$defs"] | {"Error": _ERROR}},
    }


def _operation(summary: str) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "summary": summary,
        "responses": {"200": {"description": "Success"}, "default": {"description": "Error", "content": error}},
    }
