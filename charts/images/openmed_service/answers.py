"""The bodies of successful answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from .deidentify import redact
from .labels import Span, canonical, without_overlaps
from .recognizers import recognize
from .schemas import AnalyzeRequest, DeidentifyRequest, ExtractRequest


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def prediction(request: ExtractRequest | AnalyzeRequest, spans: Sequence[Span], elapsed_s: float) -> bytes:
    entities = [
        {
            "text": request.text[span.start : span.end],
            "label": span.label,
            "confidence": span.confidence,
            "start": span.start,
            "end": span.end,
            "metadata": {},
        }
        for span in spans
    ]
    if isinstance(request, AnalyzeRequest) and request.group_entities:
        entities.sort(key=lambda entity: (str(entity["label"]), entity["start"]))
    return _encoded(
        {
            "text": request.text,
            "entities": entities,
            "model_name": request.model_name,
            "timestamp": _now(),
            "processing_time": round(elapsed_s, 6),
            "metadata": {},
        }
    )


def deidentification(request: DeidentifyRequest, found: Sequence[Span], elapsed_s: float) -> bytes:
    spans = without_overlaps(list(found), recognize(request.text)) if request.use_safety_sweep else list(found)
    swept = set(spans) - set(found)
    redaction = redact(request.text, spans, request)
    method = request.effective_method
    body: dict[str, object] = {
        "original_text": request.text,
        "deidentified_text": redaction.text,
        "pii_entities": [
            {
                "text": request.text[span.start : span.end],
                "label": span.label,
                "entity_type": span.label,
                "start": span.start,
                "end": span.end,
                "confidence": span.confidence,
                "redacted_text": redacted,
                "canonical_label": canonical(span.label),
                "sources": ["safety_sweep" if span in swept else span.source],
                "evidence": {},
                "threshold": request.confidence_threshold,
                "action": method,
                "surrogate": redacted if method == "replace" else None,
                "metadata": {},
            }
            for span, redacted in zip(spans, redaction.redacted, strict=True)
        ],
        "method": method,
        "timestamp": _now(),
        "num_entities_redacted": len(spans),
        "metadata": {"policy": request.policy} if request.policy else {},
        "audit_report": None,
    }
    if redaction.mapping:
        body["mapping"] = redaction.mapping
    return _encoded(body)


def _encoded(body: dict[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", errors="replace")
