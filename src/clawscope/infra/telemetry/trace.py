"""Trace context of a request: W3C `traceparent`, the wire's `X-Trace-Id` and its aliases (insight.md §3.1)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from clawscope.kernel.ids import random_hex
from clawscope.kernel.text import is_printable_ascii, trimmed

SAMPLED = 1
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-fA-F]{32}", re.ASCII)
_LONGEST_ALIAS = 128


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a request stands: ids in lower-case hex (32 and 16 digits); `alias` is a search key the caller named it by."""

    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    flags: int = SAMPLED
    alias: str | None = None

    @classmethod
    def from_headers(cls, traceparent: str | None = None, x_trace_id: str | None = None, org_id: str | None = None) -> Trace:
        """The SERVER span of a request; whatever is malformed is ignored, never refused.

        (1) a valid `traceparent` wins, `X-Trace-Id` is then an alias; (2) else an `X-Trace-Id` of 32 hex digits is the trace id;
        (3) else its text is an alias, and the trace id follows from organisation and alias; (4) else a new trace.
        """
        given = _given(x_trace_id)
        parent = _TRACEPARENT.fullmatch(traceparent.strip(" \t")) if traceparent else None
        if parent is not None and not (parent[1] == "00" and parent[5]):  # (1): version 00 has exactly four fields
            alias = given if given is not None and given.lower() != parent[2] else None
            return cls(parent[2], random_hex(8), parent[3], int(parent[4], 16) & SAMPLED, alias)
        if given is None:  # (4)
            return cls(random_hex(16), random_hex(8))
        if _TRACE_ID.fullmatch(given):  # (2)
            return cls(given.lower(), random_hex(8))
        return cls(alias_id(org_id or "", given), random_hex(8), alias=given)  # (3)

    def child(self) -> Trace:
        """A span below this one; the child's `traceparent` goes upstream with an outbound call."""
        return Trace(self.trace_id, random_hex(8), self.span_id, self.flags, self.alias)

    @property
    def traceparent(self) -> str:
        """This span as a W3C header value, version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def alias_id(org_id: str, alias: str) -> str:
    """The trace id an alias stands for within one organisation."""
    return hashlib.sha256(f"clawscope/trace/v1\n{org_id}\n{alias}".encode()).digest()[:16].hex()


def _given(x_trace_id: str | None) -> str | None:
    text = trimmed(x_trace_id) if x_trace_id else ""
    return text if 1 <= len(text) <= _LONGEST_ALIAS and is_printable_ascii(text) else None
