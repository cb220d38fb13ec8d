"""What the streams of an API promise."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from seatrial.contract.base import Part, Promise


class Streaming(Part, Promise):
    """An API whose answers come in parts: each ends with its end mark, and every choice in it with its reason.

    A stream that is open when its pod is told to stop goes on to its end, or (`on_drain: error`) is ended by an event
    that says what happened; one that just stops is cut either way. `usage`: its tokens are told before its end.
    """

    usage: bool = False
    """The server counts the tokens of each stream, and tells before its end."""
    on_drain: Literal["complete", "error"] = "complete"
    """What becomes of streams that are open when their pod is told to stop."""

    @model_validator(mode="before")
    @classmethod
    def _without_a_key_of_before(cls, given: Any) -> Any:
        """Without `longest_gap_s: null`: earlier records have it wherever an API streams, and it promised nothing."""
        if isinstance(given, dict) and given.get("longest_gap_s", ...) is None:
            return {key: value for key, value in given.items() if key != "longest_gap_s"}
        return given
