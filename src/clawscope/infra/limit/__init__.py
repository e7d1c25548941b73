"""Limits that need no store: anonymous callers by source."""

from __future__ import annotations

from clawscope.infra.limit.source_rate import Charge, SourceRate

__all__ = ["Charge", "SourceRate"]
