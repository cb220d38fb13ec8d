"""What a request may hold; anything else is refused with the field that is wrong, never with its content."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from .catalogue import DEFAULT_ANALYZE, DEFAULT_PII
from .durations import parse_keep_alive
from .errors import invalid
from .rampart import Options

Language = Literal["en", "fr", "de", "it", "es", "nl", "hi", "te", "pt", "ar", "he", "ja", "tr", "id", "th"]
ModelName = Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$", max_length=200)]
Threshold = Annotated[float, Field(ge=0.0, le=1.0)]

POLICY_ALIASES = {
    "au_privacy": "australia_privacy_act",
    "gdpr": "gdpr_pseudonymization",
    "gdpr_health": "gdpr_art9_health",
    "pipeda": "canada_pipeda",
    "uk_ico": "uk_ico_anonymisation",
}
POLICIES = (
    "hipaa_safe_harbor",
    "hipaa_expert_review_assist",
    "gdpr_pseudonymization",
    "gdpr_art9_health",
    "research_limited_dataset",
    "strict_no_leak",
    "clinical_minimal_redaction",
    "canada_pipeda",
    "uk_ico_anonymisation",
    "australia_privacy_act",
)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=(), frozen=True)


class ModelRequest(Strict):
    """What all model-backed requests share. Validated with the context `max_text_length`, in characters."""

    text: str
    keep_alive: float | str | None = None

    @field_validator("text")
    @classmethod
    def _bounded(cls, text: str, info: ValidationInfo) -> str:
        text = text.strip()
        if not text:
            raise ValueError("Text must not be blank")
        longest = info.context["max_text_length"] if info.context else None
        if longest is not None and len(text) > longest:
            raise ValueError(f"Text must have at most {longest} characters")
        return text

    @field_validator("keep_alive")
    @classmethod
    def _duration(cls, value: float | str | None) -> float | None:
        return None if value is None else parse_keep_alive(value)

    @property
    def keep_alive_s(self) -> float | None:
        return None if self.keep_alive is None else float(self.keep_alive)


class ExtractRequest(ModelRequest):
    model_name: ModelName = DEFAULT_PII
    confidence_threshold: Threshold = 0.5
    use_smart_merging: bool = True
    lang: Language = "en"
    normalize_accents: bool | None = None

    def options(self) -> Options:
        return Options(
            confidence_threshold=self.confidence_threshold,
            merge=self.use_smart_merging,
            normalize_accents=bool(self.normalize_accents),
            lang=self.lang,
        )


class DeidentifyRequest(ExtractRequest):
    confidence_threshold: Threshold = 0.7
    method: Literal["mask", "remove", "replace", "hash", "shift_dates"] = "mask"
    keep_year: bool = False
    shift_dates: bool | None = None
    date_shift_days: int | None = None
    keep_mapping: bool = False
    policy: str | None = None
    use_safety_sweep: bool = True

    @field_validator("policy")
    @classmethod
    def _known_policy(cls, name: str | None) -> str | None:
        name = POLICY_ALIASES.get(name, name) if name is not None else None
        if name is not None and name not in POLICIES:
            raise PydanticCustomError("unknown_policy", "Policy must be one of the known names")
        return name

    @model_validator(mode="after")
    def _one_method(self) -> DeidentifyRequest:
        if self.shift_dates is False and self.method == "shift_dates":
            raise ValueError("shift_dates=false contradicts method=shift_dates")
        if self.date_shift_days is not None and self.effective_method != "shift_dates":
            raise ValueError("date_shift_days needs method=shift_dates")
        return self

    @property
    def effective_method(self) -> str:
        return "shift_dates" if self.shift_dates else self.method


class AnalyzeRequest(ModelRequest):
    model_name: ModelName = DEFAULT_ANALYZE
    confidence_threshold: Threshold | None = 0.0
    group_entities: bool = False
    aggregation_strategy: Literal["simple", "first", "average", "max"] | None = "simple"
    sentence_detection: bool = True
    sentence_language: str = "en"
    sentence_clean: bool = False
    use_fast_tokenizer: bool = True

    def options(self) -> Options:
        return Options(
            confidence_threshold=self.confidence_threshold or 0.0,
            merge=self.aggregation_strategy is not None,
            aggregation=self.aggregation_strategy or "none",
            lang=self.sentence_language,
            group=self.group_entities,
        )


class UnloadRequest(Strict):
    model_name: ModelName | None = None
    all: bool = False

    @model_validator(mode="after")
    def _one_target(self) -> UnloadRequest:
        if not self.all and self.model_name is None:
            raise ValueError("Give model_name, or all=true")
        return self


R = TypeVar("R", bound=BaseModel)


def parse(schema: type[R], body: bytes, max_text_length: int) -> R:
    """The request in a body. Raises ApiError 422 naming each field that is wrong."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise invalid([{"field": "body", "message": "Body must be JSON", "type": "json_invalid"}]) from None
    try:
        return schema.model_validate(data, context={"max_text_length": max_text_length})
    except ValidationError as error:
        found: list[Any] = error.errors(include_url=False, include_input=False, include_context=False)
        raise invalid(
            [
                {
                    "field": ".".join(["body", *(str(part) for part in one["loc"])]),
                    "message": one["msg"].removeprefix("Value error, "),
                    "type": one["type"],
                }
                for one in found
            ]
        ) from None
