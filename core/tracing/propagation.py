"""Trace contexts of the W3C: reads and writes ``traceparent``. ``tracestate`` and ``baggage`` are dropped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

HEADER: Final = "traceparent"

_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.{0,200})?")
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16


@dataclass(frozen=True, slots=True)
class RemoteSpan:
    """A span of another process, or of an earlier unit of work, by its ids in hexadecimal."""

    trace_id: str
    span_id: str


def parse(text: str | None) -> RemoteSpan | None:
    """Return the span that a ``traceparent`` names; None if there is none, or its form is not valid.

    Its flags are not read: the rules of this installation decide which traces are exported.
    """
    match = None if text is None else _FORM.fullmatch(text)
    if match is None:
        return None
    version, trace_id, span_id, _, more = match.groups()
    if version == "ff" or (version == "00" and more) or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return RemoteSpan(trace_id, span_id)


def render(trace_id: str, span_id: str, *, sampled: bool) -> str:
    """Return the ``traceparent`` of a span."""
    return f"00-{trace_id}-{span_id}-0{int(sampled)}"
